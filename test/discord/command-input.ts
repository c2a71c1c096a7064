import type { OptionBody } from "./commands.ts";
import type { Command, Options, OptionValue, Snowflake } from "./driver.ts";
import { interactionChannel, apiRole, apiUser, partialMember } from "./objects.ts";
import { guildPermissions } from "./permissions.ts";
import type { GuildRecord, MemberRecord, World } from "./world.ts";

/** Says, as a `ClientRefusal`, why a real client would not send an interaction. */
export function clientRefuses(reason: string): never {
  throw Object.assign(new Error(reason), { name: "ClientRefusal" });
}

export type SentOption = {
  name: string;
  type: number;
  value?: string | number | boolean;
  options?: SentOption[];
  focused?: boolean;
};
type Resolved = Record<"users" | "members" | "roles" | "channels", Record<Snowflake, unknown>>;
export type Scene = { world: World; guild: GuildRecord; member: MemberRecord };

const maxString = 6_000;

/** The options of a command line, nested in its subcommands, with the data of whom they mention. */
export function commandData(
  scene: Scene,
  command: Command,
  path: string[],
  options: Options,
  focused: string | null,
) {
  const resolved: Resolved = { users: {}, members: {}, roles: {}, channels: {} };
  const registered = (command.options ?? []) as unknown as OptionBody[];
  const sent = descend(registered, path, (leaf) => values(scene, leaf, options, focused, resolved));
  const filled = Object.fromEntries(
    Object.entries(resolved).filter(([, found]) => Object.keys(found).length > 0),
  );
  return {
    id: command.id,
    name: command.name,
    type: 1,
    guild_id: scene.guild.id,
    options: sent,
    ...(Object.keys(filled).length === 0 ? {} : { resolved: filled }),
  };
}

/** The registered option that is typed into. */
export function focusedOption(command: Command, path: string[], name: string): OptionBody {
  let level = (command.options ?? []) as unknown as OptionBody[];
  for (const step of path) level = level.find((option) => option.name === step)?.options ?? [];
  const option = level.find((found) => found.name === name);
  if (option === undefined) return clientRefuses(`/${command.name} has no option ${name}`);
  if (option.autocomplete !== true) return clientRefuses(`option ${name} offers no autocomplete`);
  return option;
}

function descend(
  registered: OptionBody[],
  path: string[],
  leaf: (options: OptionBody[]) => SentOption[],
): SentOption[] {
  const [step, ...rest] = path;
  if (step === undefined) {
    const first = registered[0];
    if (first !== undefined && first.type <= 2) {
      return clientRefuses(
        `a sub-command is missing: one of ${registered.map(({ name }) => name).join(", ")}`,
      );
    }
    return leaf(registered);
  }
  const found = registered.find(({ name, type }) => name === step && type <= 2);
  if (found === undefined) return clientRefuses(`there is no sub-command ${step}`);
  return [{ name: found.name, type: found.type, options: descend(found.options ?? [], rest, leaf) }];
}

function values(
  scene: Scene,
  registered: OptionBody[],
  options: Options,
  focused: string | null,
  resolved: Resolved,
): SentOption[] {
  for (const name of Object.keys(options)) {
    if (registered.every((option) => option.name !== name)) clientRefuses(`there is no option ${name}`);
  }
  const sent = registered.flatMap((option) => {
    const given = options[option.name];
    if (option.name === focused) {
      return [
        {
          name: option.name,
          type: option.type,
          value: typeof given === "object" ? given.id : String(given ?? ""),
          focused: true,
        },
      ];
    }
    if (given === undefined) {
      if (option.required === true && focused === null) clientRefuses(`option ${option.name} is required`);
      return [];
    }
    return [{ name: option.name, type: option.type, value: value(scene, option, given, resolved) }];
  });
  // A client sends options in the order they were filled in, and required ones first.
  const order = Object.keys(options);
  return sent.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
}

function value(scene: Scene, option: OptionBody, given: OptionValue, resolved: Resolved) {
  const wrong = (wanted: string) =>
    clientRefuses(`option ${option.name} wants ${wanted}, not ${shown(given)}`);
  if (option.choices !== undefined && option.choices !== null && option.choices.length > 0) {
    const choice = option.choices.find((found) => found.value === given || found.name === given);
    return choice === undefined ? wrong("one of its choices") : choice.value;
  }
  if (option.type === 5) return typeof given === "boolean" ? given : wrong("true or false");
  if (option.type === 3) return typeof given === "string" ? text(option, given) : wrong("a text");
  if (option.type === 4 || option.type === 10) {
    const fine = typeof given === "number" && (option.type === 10 || Number.isSafeInteger(given));
    return fine ? bounded(option, given) : wrong(option.type === 4 ? "a whole number" : "a number");
  }
  const id = typeof given === "object" ? given.id : given;
  if (typeof id !== "string") return wrong("somebody or something");
  return resolve(scene, option, id, resolved) ? id : wrong("somebody or something that exists");
}

function shown(given: OptionValue): string {
  return typeof given === "object" ? given.id : JSON.stringify(given);
}

function text(option: OptionBody, given: string): string {
  const least = option.min_length ?? (option.required === true ? 1 : 0);
  const most = option.max_length ?? maxString;
  if (given.length < least || given.length > most) {
    clientRefuses(`option ${option.name} wants ${least} to ${most} characters, not ${given.length}`);
  }
  return given;
}

function bounded(option: OptionBody, given: number): number {
  const { min_value: min, max_value: max } = option;
  if (given < (min ?? -(2 ** 53)) || given > (max ?? 2 ** 53)) {
    clientRefuses(`option ${option.name} wants ${min ?? "any"} to ${max ?? "any"}, not ${given}`);
  }
  return given;
}

/** Adds what an option mentions to the resolved data; false when there is no such thing. */
function resolve(
  { world, guild, member }: Scene,
  option: OptionBody,
  id: Snowflake,
  resolved: Resolved,
): boolean {
  const role = option.type === 8 || option.type === 9 ? guild.roles.get(id) : undefined;
  if (role !== undefined) {
    resolved.roles[id] = apiRole(role);
    return true;
  }
  if (option.type === 6 || option.type === 9) {
    if (!world.users.has(id)) return false;
    resolved.users[id] = apiUser(world, id);
    const mentioned = guild.members.get(id);
    // Users who left can still be named by their id; there is no member for them.
    if (mentioned !== undefined) {
      const permissions = guildPermissions(guild, mentioned).toString();
      resolved.members[id] = { ...partialMember(mentioned), permissions };
    }
    return true;
  }
  const channel = option.type === 7 ? guild.channels.get(id) : undefined;
  if (channel === undefined) return false;
  if (option.channel_types && !option.channel_types.includes(0)) return false;
  resolved.channels[id] = interactionChannel(guild, channel, member);
  return true;
}

/** Users, members, roles and channels that were picked in a select menu. */
export function selectedData(scene: Scene, componentType: number, ids: Snowflake[]) {
  const resolved: Resolved = { users: {}, members: {}, roles: {}, channels: {} };
  const optionType = { 5: 6, 6: 8, 7: 9, 8: 7 }[componentType];
  if (optionType === undefined) return {};
  const option = { type: optionType, name: "select", description: "" };
  for (const id of ids)
    if (!resolve(scene, option, id, resolved)) clientRefuses(`there is nothing with id ${id}`);
  const filled = Object.fromEntries(
    Object.entries(resolved).filter(([, found]) => Object.keys(found).length > 0),
  );
  return { resolved: filled };
}
