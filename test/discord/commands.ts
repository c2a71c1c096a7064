import type { Fault } from "./components.ts";
import type { Command, Snowflake } from "./driver.ts";
import { invalidForm, missingAccess, refuse, unknown } from "./refusal.ts";
import { tree } from "./schema.ts";
import type { ApplicationRecord, GuildRecord, World } from "./world.ts";

/** A command or an option as it is registered, after it passed its schema. */
export type OptionBody = {
  type: number;
  name: string;
  description: string;
  required?: boolean | null;
  autocomplete?: boolean | null;
  choices?: { name: string; value: string | number }[] | null;
  options?: OptionBody[] | null;
  min_value?: number | null;
  max_value?: number | null;
  min_length?: number | null;
  max_length?: number | null;
  name_localizations?: Record<string, string> | null;
  description_localizations?: Record<string, string> | null;
  channel_types?: number[] | null;
};
export type CommandBody = Omit<OptionBody, "type" | "description"> & {
  id?: Snowflake | null;
  type?: number | null;
  description?: string | null;
  default_member_permissions?: string | number | null;
  nsfw?: boolean | null;
  contexts?: number[] | null;
  integration_types?: number[] | null;
};

const maxCommands = 100;
const maxCharacters = 8_000;
const maxCreations = 200;
const dayMs = 86_400_000;
const chatInput = 1;
const subcommand = 1;
const subcommandGroup = 2;
/** Names of chat input commands and options, as Discord publishes the pattern. */
const namePattern = /^[-_'\p{L}\p{N}\p{sc=Deva}\p{sc=Thai}]{1,32}$/u;

/** Rules of a command beyond its schema. */
function commandFaults(command: CommandBody): Fault[] {
  const type = command.type ?? chatInput;
  const faults: Fault[] = [];
  if (type === chatInput) {
    faults.push(...nameFaults(command.name, ["name"]));
    if (!command.description) {
      faults.push({ path: ["description"], code: "BASE_TYPE_REQUIRED", message: "This field is required" });
    }
  }
  const tooLong = characters(command) > maxCharacters;
  if (tooLong) {
    const message = `Command exceeds maximum size (${maxCharacters})`;
    faults.push({ path: [], code: "APPLICATION_COMMAND_TOO_LARGE", message });
  }
  return [...faults, ...optionFaults(command.options ?? [], ["options"], 0)];
}

function nameFaults(name: string, path: string[]): Fault[] {
  if (namePattern.test(name) && name === name.toLowerCase()) return [];
  return [{ path, code: "APPLICATION_COMMAND_INVALID_NAME", message: "Command name is invalid" }];
}

function longest(text: string, localized: Record<string, string> | null | undefined): number {
  return Math.max(text.length, ...Object.values(localized ?? {}).map(({ length }) => length));
}

/** Characters that count towards the 8,000: names, descriptions and values, in the longest language each. */
function characters(part: CommandBody | OptionBody): number {
  const own =
    longest(part.name, part.name_localizations) +
    longest(part.description ?? "", part.description_localizations);
  const choices = (part.choices ?? []).reduce(
    (sum, choice) => sum + choice.name.length + String(choice.value).length,
    0,
  );
  return own + choices + (part.options ?? []).reduce((sum, option) => sum + characters(option), 0);
}

function optionFaults(options: OptionBody[], at: string[], depth: number): Fault[] {
  const faults: Fault[] = [];
  const names = new Set<string>();
  let optionalSeen = false;
  const grouping = options.filter(({ type }) => type <= subcommandGroup).length;
  if (grouping > 0 && grouping < options.length) {
    const message =
      "Sub-command and sub-command group option types are mutually exclusive to all other types";
    faults.push({ path: at, code: "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", message });
  }
  options.forEach((option, index) => {
    const path = [...at, String(index)];
    faults.push(...nameFaults(option.name, [...path, "name"]), ...valueFaults(option, path));
    if (names.has(option.name)) {
      const message = "Option name already exists";
      faults.push({
        path: [...path, "name"],
        code: "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS",
        message,
      });
    }
    names.add(option.name);
    if (option.type > subcommandGroup && option.required === true && optionalSeen) {
      const message = "Required options must be placed before non-required options";
      faults.push({ path, code: "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message });
    }
    optionalSeen ||= option.type > subcommandGroup && option.required !== true;
    const nests = option.type === subcommandGroup ? depth === 0 : option.type === subcommand && depth <= 1;
    if (option.type <= subcommandGroup && !nests) {
      const message = "Sub-command groups hold sub-commands only";
      faults.push({ path: [...path, "type"], code: "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", message });
    }
    const below = option.type === subcommandGroup ? 1 : 2;
    faults.push(...optionFaults(option.options ?? [], [...path, "options"], below));
  });
  return faults;
}

function valueFaults(option: OptionBody, path: string[]): Fault[] {
  const faults: Fault[] = [];
  const choices = option.choices ?? [];
  const bad = (field: string, code: string, message: string) =>
    faults.push({ path: [...path, field], code, message });
  if (option.autocomplete === true && choices.length > 0) {
    bad("choices", "APPLICATION_COMMAND_OPTIONS_CHOICES_AUTOCOMPLETE", "Autocomplete excludes choices");
  }
  if (new Set(choices.map(({ name }) => name)).size < choices.length) {
    bad(
      "choices",
      "APPLICATION_COMMAND_OPTIONS_CHOICE_NAME_ALREADY_EXISTS",
      "Option choice name already exists",
    );
  }
  const { min_value: min, max_value: max, min_length: least, max_length: most } = option;
  if ((min ?? -Infinity) > (max ?? Infinity)) {
    bad(
      "max_value",
      "APPLICATION_COMMAND_OPTION_MIN_VALUE_GREATER_THAN_MAX_VALUE",
      "min_value exceeds max_value",
    );
  }
  if ((least ?? -Infinity) > (most ?? Infinity)) {
    bad(
      "max_length",
      "APPLICATION_COMMAND_OPTION_MIN_LENGTH_GREATER_THAN_MAX_LENGTH",
      "min_length exceeds max_length",
    );
  }
  return faults;
}

function list(application: ApplicationRecord, guildId: Snowflake): Command[] {
  return application.commands.get(guildId) ?? [];
}

/** A guild that the application is in, or the refusal. */
export function commandGuild(world: World, application: ApplicationRecord, guildId: Snowflake): GuildRecord {
  const guild = world.guilds.get(guildId);
  if (guild === undefined || !guild.applications.has(application.id)) return missingAccess();
  return guild;
}

/** Replaces all commands of a guild; those of the same name and type keep their id and cost nothing. */
export function overwriteCommands(
  world: World,
  application: ApplicationRecord,
  guild: GuildRecord,
  bodies: CommandBody[],
): Command[] {
  const faults = bodies.flatMap((body, index) =>
    commandFaults(body).map((fault) => ({ ...fault, path: [String(index), ...fault.path] })),
  );
  const keys = bodies.map((body) => `${body.type ?? chatInput} ${body.name}`);
  keys.forEach((key, index) => {
    if (keys.indexOf(key) === index) return;
    const message = "Application command names must be unique";
    faults.push({ path: [String(index), "name"], code: "APPLICATION_COMMANDS_DUPLICATE_NAME", message });
  });
  if (faults.length > 0) invalidForm(tree(faults));
  const count = bodies.filter(({ type }) => (type ?? chatInput) === chatInput).length;
  if (count > maxCommands)
    refuse(400, 30032, `Maximum number of application commands reached (${maxCommands}).`);
  const before = list(application, guild.id);
  const after = bodies.map((body) => stored(world, application, guild, body, before));
  const fresh = after.filter(({ id }) => !before.some((command) => command.id === id)).length;
  spendCreations(world, application, guild.id, fresh);
  application.commands.set(guild.id, after);
  return after;
}

/** Creates a command, or updates the one of the same name and type. */
export function createCommand(
  world: World,
  application: ApplicationRecord,
  guild: GuildRecord,
  body: CommandBody,
): { created: boolean; command: Command } {
  const faults = commandFaults(body);
  if (faults.length > 0) invalidForm(tree(faults));
  const before = list(application, guild.id);
  const command = stored(world, application, guild, body, before);
  const others = before.filter(({ id }) => id !== command.id);
  const created = others.length === before.length;
  if (created && before.length >= maxCommands) {
    refuse(400, 30032, `Maximum number of application commands reached (${maxCommands}).`);
  }
  if (created) spendCreations(world, application, guild.id, 1);
  application.commands.set(guild.id, [...others, command]);
  return { created, command };
}

export function listCommands(application: ApplicationRecord, guildId: Snowflake): Command[] {
  return list(application, guildId);
}

export function deleteCommand(application: ApplicationRecord, guildId: Snowflake, id: Snowflake): void {
  const before = list(application, guildId);
  const after = before.filter((command) => command.id !== id);
  if (after.length === before.length) unknown.command();
  application.commands.set(guildId, after);
}

function spendCreations(
  world: World,
  application: ApplicationRecord,
  guildId: Snowflake,
  count: number,
): void {
  const now = world.clock.nowMs();
  const recent = (application.creations.get(guildId) ?? []).filter((at) => at > now - dayMs);
  if (recent.length + count > maxCreations) {
    refuse(400, 30034, `Max number of daily application command creates has been reached (${maxCreations})`);
  }
  application.creations.set(guildId, [...recent, ...Array.from({ length: count }, () => now)]);
}

function stored(
  world: World,
  application: ApplicationRecord,
  guild: GuildRecord,
  body: CommandBody,
  before: Command[],
): Command {
  const type = body.type ?? chatInput;
  const old = before.find((command) => command.name === body.name && command.type === type);
  const permissions = body.default_member_permissions;
  return {
    ...withoutNulls(body),
    id: old?.id ?? world.newId(),
    application_id: application.id,
    guild_id: guild.id,
    version: world.newId(),
    type,
    description: body.description ?? "",
    default_member_permissions:
      permissions === null || permissions === undefined ? null : String(permissions),
    nsfw: body.nsfw ?? false,
  } as unknown as Command;
}

function withoutNulls(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => {
      if (inner === null) return [];
      if (Array.isArray(inner)) return [[key, inner.map(cleaned)]];
      return [[key, cleaned(inner)]];
    }),
  );
}

function cleaned(value: unknown): unknown {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? withoutNulls(value as Record<string, unknown>)
    : value;
}
