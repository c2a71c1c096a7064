import { ButtonStyle, ComponentType, MessageFlags } from "./discord-js.ts";

type Embed = { title: string; description: string; color?: number; footer?: { text: string } };
export type Button = { type: number; style: number; label: string; custom_id: string; disabled: boolean };

/** A message of ours. It never pings anybody, whatever names and reasons it shows. */
export type MessageBody = {
  content: string;
  embeds: Embed[];
  components: { type: number; components: Button[] }[];
  allowed_mentions: { parse: [] };
};

/** Discord's limits: a message's text, an embed's description, a custom id. */
const contentLimit = 2000;
const descriptionLimit = 4096;
const customIdLimit = 100;

/** A message of plain text; what is too long ends in an ellipsis rather than being refused. */
export function message(content: string, buttons: Button[] = []): MessageBody {
  return {
    content: clipped(content, contentLimit),
    embeds: [],
    components: buttons.length === 0 ? [] : [{ type: ComponentType.ActionRow, components: buttons }],
    allowed_mentions: { parse: [] },
  };
}

/** A message that is a card: a title, lines below it, and buttons. */
export function card(
  embed: { title: string; lines: string[]; color?: number; footer?: string },
  buttons: Button[] = [],
): MessageBody {
  return {
    ...message("", buttons),
    embeds: [
      {
        title: clipped(embed.title, 256),
        description: clipped(embed.lines.join("\n"), descriptionLimit),
        ...(embed.color !== undefined && { color: embed.color }),
        ...(embed.footer !== undefined && { footer: { text: clipped(embed.footer, 2048) } }),
      },
    ],
  };
}

/** A button whose custom id is `action:argument:…`; `invocation` takes it apart again. */
export function button(
  label: string,
  action: string,
  args: (string | number)[],
  options: { style?: "primary" | "secondary" | "danger"; disabled?: boolean } = {},
): Button {
  const customId = [action, ...args].join(":");
  if (customId.length > customIdLimit) {
    throw new RangeError(`A button's custom id of ${customId.length} characters does not fit`);
  }
  const styles = {
    primary: ButtonStyle.Primary,
    secondary: ButtonStyle.Secondary,
    danger: ButtonStyle.Danger,
  } as const;
  return {
    type: ComponentType.Button,
    style: styles[options.style ?? "secondary"],
    label,
    custom_id: customId,
    disabled: options.disabled ?? false,
  };
}

/** The flags of a first answer or a further message: ephemeral or seen by all. */
export function visibilityFlags(ephemeral: boolean): number {
  return ephemeral ? MessageFlags.Ephemeral : 0;
}

function clipped(text: string, limit: number): string {
  if (text.length <= limit) {
    return text;
  }
  const cut = text.slice(0, limit - 1);
  // A character outside the basic plane is two units long; half of it is not a character.
  return `${/[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut}…`;
}
