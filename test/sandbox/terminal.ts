import type { APIApplicationCommandOption } from "discord-api-types/v10";
import { ApplicationCommandOptionType } from "discord-api-types/v10";
import type { Guild, Member, Message, Options } from "../discord/driver.ts";

/** A command that can be typed: its full name, and its options in order. */
export type Typable = { path: string; description: string; options: APIApplicationCommandOption[] };

/** Every subcommand of the registered commands. */
export function typables(
  commands: { name: string; description: string; options?: APIApplicationCommandOption[] }[],
): Typable[] {
  return commands.flatMap(({ name, description, options = [] }) => unfold(name, description, options));
}

function unfold(path: string, description: string, options: APIApplicationCommandOption[]): Typable[] {
  const below = options.filter(
    ({ type }) =>
      type === ApplicationCommandOptionType.Subcommand ||
      type === ApplicationCommandOptionType.SubcommandGroup,
  );
  return below.length === 0
    ? [{ path, description, options }]
    : below.flatMap((option) =>
        unfold(
          `${path} ${option.name}`,
          option.description,
          "options" in option ? (option.options ?? []) : [],
        ),
      );
}

/** What was typed after the slash: a command with its options, or a sentence that says what is missing. */
export function typed(
  line: string,
  known: Typable[],
  guild: Guild,
): { path: string; options: Options } | { sentence: string } {
  const text = line.replace(/^\//, "").trim();
  const command = known
    .filter(({ path }) => text === path || text.startsWith(`${path} `))
    .sort((a, b) => b.path.length - a.path.length)[0];
  if (command === undefined) {
    return { sentence: `There is no such command; type help to see them all.` };
  }
  const options: Options = {};
  const given = named(text.slice(command.path.length).trim(), command.options);
  for (const option of command.options) {
    const value = given.get(option.name);
    if (value !== undefined) {
      const meant = valueOf(option, value, guild);
      if (meant === undefined) {
        return { sentence: `${option.name}: “${value}” is not something this option takes.` };
      }
      options[option.name] = meant;
    }
  }
  return { path: command.path, options };
}

/** Options that take the rest of the line. */
const freeTexts = new Set(["reason", "item", "value"]);

/** `name:value` pairs as Discord shows them, or just the values in order. */
function named(text: string, options: APIApplicationCommandOption[]): Map<string, string> {
  const names = options.map(({ name }) => name);
  const given = new Map<string, string>();
  const parts = text.split(new RegExp(`(?:^|\\s)(${names.join("|")}):`));
  if (names.length > 0 && parts.length > 1) {
    for (let index = 1; index < parts.length; index += 2) {
      given.set(parts[index] ?? "", (parts[index + 1] ?? "").trim());
    }
    return given;
  }
  const rest = text.split(/\s+/).filter((word) => word !== "");
  const mentions = rest.filter((word) => word.startsWith("@"));
  const others = rest.filter((word) => !word.startsWith("@"));
  const user = options.find(({ type }) => type === ApplicationCommandOptionType.User);
  const list = options.find(({ name }) => name === "members");
  if (mentions.length === 1 && user !== undefined) {
    given.set(user.name, mentions[0] ?? "");
  } else if (mentions.length > 1 && list !== undefined) {
    given.set(list.name, mentions.join(" "));
  }
  const remaining = options.filter(
    (option) => !given.has(option.name) && option !== user && option !== list && option.name !== "pool",
  );
  for (const { name } of remaining) {
    const word = freeTexts.has(name) ? others.splice(0).join(" ") : (others.shift() ?? "");
    if (word !== "") {
      given.set(name, word);
    }
  }
  return given;
}

function valueOf(
  option: APIApplicationCommandOption,
  text: string,
  guild: Guild,
): Options[string] | undefined {
  if (option.type === ApplicationCommandOptionType.User) {
    return memberNamed(text, guild);
  }
  if (option.type === ApplicationCommandOptionType.Integer) {
    return /^#?\d+$/.test(text) ? Number(text.replace("#", "")) : undefined;
  }
  return option.type === ApplicationCommandOptionType.Boolean
    ? /^(true|yes|1)$/i.test(text)
    : withIds(text, guild);
}

function memberNamed(text: string, guild: Guild): Member | undefined {
  return guild.members.find(({ name }) => name === text.replace(/^@/, "").toLowerCase());
}

/** @name and #channel as Discord's client would send them. */
function withIds(text: string, guild: Guild): string {
  return text
    .replaceAll(/(?<!<)@(\w+)/g, (all, name: string) => {
      const member = memberNamed(name, guild);
      const role = guild.roles.find((known) => known.name.toLowerCase() === name.toLowerCase());
      return member !== undefined ? `<@${member.id}>` : role !== undefined ? `<@&${role.id}>` : all;
    })
    .replaceAll(/(?<!<)#([a-z][\w-]*)/g, (all, name: string) => {
      const channel = guild.channels.find((known) => known.name === name);
      return channel === undefined ? all : `<#${channel.id}>`;
    });
}

/** A message as a terminal can show it: names instead of ids, times instead of stamps, buttons in brackets. */
export function readable(message: Message, guild: Guild, nowMs: number): string[] {
  const embeds = message.embeds.flatMap(({ title, description, footer }) => [
    ...(title === undefined ? [] : [bold(title)]),
    ...(description ?? "").split("\n").filter((line) => line !== "```"),
    ...(footer === undefined ? [] : [dim(footer.text)]),
  ]);
  const rows = (message.components ?? []) as { components?: { label?: string }[] }[];
  const buttons = rows.flatMap(({ components = [] }) =>
    components.flatMap(({ label }) => (label === undefined ? [] : [`[${label}]`])),
  );
  return [
    ...(message.content === "" ? [] : message.content.split("\n")),
    ...embeds,
    ...(buttons.length === 0 ? [] : [buttons.join(" ")]),
  ].map((line) => plainly(line, guild, nowMs));
}

function plainly(line: string, guild: Guild, nowMs: number): string {
  return line
    .replaceAll(/<@!?(\d+)>/g, (_, id: string) => `@${nameOf(guild.members, id)}`)
    .replaceAll(/<@&(\d+)>/g, (_, id: string) => `@${nameOf(guild.roles, id)}`)
    .replaceAll(/<#(\d+)>/g, (_, id: string) => `#${nameOf(guild.channels, id)}`)
    .replaceAll(/<t:(\d+):(\w)>/g, (_, seconds: string, style: string) =>
      style === "R"
        ? relative(Number(seconds) * 1000 - nowMs)
        : new Date(Number(seconds) * 1000).toISOString().slice(11, 16),
    )
    .replaceAll(/\*\*(.+?)\*\*/g, (_, text: string) => bold(text))
    .replaceAll(/\\([^\w\s])/g, "$1");
}

function nameOf(list: { id: string; name: string }[], id: string): string {
  return list.find((known) => known.id === id)?.name ?? id;
}

function relative(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000);
  const amount = seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
  return ms < 0 ? `${amount} ago` : `in ${amount}`;
}

export function bold(text: string): string {
  return `\u001B[1m${text}\u001B[22m`;
}

export function dim(text: string): string {
  return `\u001B[2m${text}\u001B[22m`;
}

/** Whether `parseArgs` did not understand the command line. */
export function isMistyped(cause: unknown): cause is Error {
  return cause instanceof TypeError && "code" in cause && String(cause.code).startsWith("ERR_PARSE_ARGS_");
}
