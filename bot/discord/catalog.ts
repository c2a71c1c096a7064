import { createHash } from "node:crypto";
import type { APIApplicationCommandOption, APIApplicationCommandSubcommandOption } from "discord.js";
import { ApplicationCommandOptionType, ApplicationCommandType, PermissionFlagsBits } from "./discord-js.ts";
import type { ButtonCommand, SlashCommand } from "./command.ts";
import { againButton } from "./commands/again.ts";
import { auctionBid } from "./commands/auction-bid.ts";
import { auctionCancel } from "./commands/auction-cancel.ts";
import { auctionClose } from "./commands/auction-close.ts";
import { auctionList } from "./commands/auction-list.ts";
import { auctionStart } from "./commands/auction-start.ts";
import { award } from "./commands/award.ts";
import { balance } from "./commands/balance.ts";
import { configSet, configShow } from "./commands/config.ts";
import { confirmRestore } from "./commands/confirm-restore.ts";
import { deduct } from "./commands/deduct.ts";
import { history, historyButton } from "./commands/history.ts";
import { standings, standingsButton } from "./commands/standings.ts";
import { undo, undoButton } from "./commands/undo.ts";

const slashCommands: readonly SlashCommand[] = [
  balance,
  standings,
  history,
  award,
  deduct,
  undo,
  auctionStart,
  auctionBid,
  auctionList,
  auctionClose,
  auctionCancel,
  configShow,
  configSet,
  confirmRestore,
];

const buttonCommands: readonly ButtonCommand[] = [standingsButton, historyButton, undoButton, againButton];

const byPath = new Map(slashCommands.map((command) => [command.path, command]));
const byAction = new Map(buttonCommands.map((command) => [command.action, command]));

/** The command of that full name, such as "dkp award". */
export function slashCommand(path: string): SlashCommand | undefined {
  return byPath.get(path);
}

/** What a button with that action does. */
export function buttonCommand(action: string): ButtonCommand | undefined {
  return byAction.get(action);
}

/** A command as Discord registers it; of a guild, so it needs no context of its own. */
export type CommandDefinition = {
  type: ApplicationCommandType.ChatInput;
  name: string;
  description: string;
  /** A bit field as a decimal string, or null for everybody. */
  default_member_permissions: string | null;
  options: APIApplicationCommandOption[];
};

const topLevel: readonly { name: string; description: string; managersOnly: boolean }[] = [
  { name: "dkp", description: "Points: balances, standings, history, awards", managersOnly: false },
  { name: "auction", description: "Auctions of items for points", managersOnly: false },
  { name: "dkp-admin", description: "The guild's rules", managersOnly: true },
];

/** Everything that is registered with Discord. */
export function commandDefinitions(): CommandDefinition[] {
  return topLevel.map(({ name, description, managersOnly }) => ({
    type: ApplicationCommandType.ChatInput,
    name,
    description,
    // Only hides the command by default: a guild may grant it to its officers, who are checked again when they use it.
    default_member_permissions: managersOnly ? String(PermissionFlagsBits.ManageGuild) : null,
    options: tree(slashCommands.filter(({ path }) => path.startsWith(`${name} `))),
  }));
}

function tree(commands: SlashCommand[]): APIApplicationCommandOption[] {
  const groups = new Map<string, APIApplicationCommandSubcommandOption[]>();
  const options: APIApplicationCommandOption[] = [];
  for (const command of commands) {
    const [, first = "", second] = command.path.split(" ");
    const group = second === undefined ? options : (groups.get(first) ?? []);
    if (second !== undefined && !groups.has(first)) {
      groups.set(first, group as APIApplicationCommandSubcommandOption[]);
      options.push({
        type: ApplicationCommandOptionType.SubcommandGroup,
        name: first,
        description: `${first} of the guild`,
        options: group as APIApplicationCommandSubcommandOption[],
      });
    }
    group.push({
      type: ApplicationCommandOptionType.Subcommand,
      name: second ?? first,
      description: command.description,
      // Discord wants required options before optional ones.
      options: [...command.options].sort((a, b) => Number(b.required ?? false) - Number(a.required ?? false)),
    });
  }
  return options;
}

/** Identifies a set of definitions, whatever order and defaults Discord lists them with. */
export function definitionsHash(definitions: readonly unknown[]): string {
  const texts = definitions.map((definition) => JSON.stringify(essence(definition))).sort();
  return createHash("sha256").update(texts.join("\n")).digest("hex").slice(0, 16);
}

/** What Discord adds to a registered command and what it leaves out when it is the default. */
const ignored = new Set([
  "id",
  "application_id",
  "guild_id",
  "version",
  "contexts",
  "integration_types",
  "dm_permission",
  "nsfw",
  "name_localized",
  "description_localized",
  "handler",
]);

function essence(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(essence);
  }
  if (typeof value !== "object" || value === null) {
    return value;
  }
  const entries = Object.entries(value)
    .filter(([key, field]) => !ignored.has(key) && !isDefault(field))
    .map(([key, field]) => [key, essence(field)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isDefault(field: unknown): boolean {
  return (
    field === undefined || field === null || field === false || (Array.isArray(field) && field.length === 0)
  );
}
