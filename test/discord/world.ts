import { randomBytes } from "node:crypto";
import type { Clock } from "./clock.ts";
import type {
  ApiMessage,
  ApplicationSpec,
  ChannelSpec,
  Command,
  GuildSpec,
  MemberSpec,
  OverwriteSpec,
  Ref,
  RoleSpec,
  Snowflake,
} from "./driver.ts";
import { everyoneDefaults } from "./permissions.ts";
import { snowflakes } from "./snowflake.ts";

/** An administrator's override of who may use a command. */
export type AccessRecord = { id: Snowflake; type: "role" | "user" | "channel"; allow: boolean };

export type ApplicationRecord = {
  id: Snowflake;
  token: string;
  name: string;
  privilegedIntents: number;
  /** Commands by guild. */
  commands: Map<Snowflake, Command[]>;
  /** Overrides by command. */
  access: Map<Snowflake, AccessRecord[]>;
  /** Times of command creations by guild, of the last day. */
  creations: Map<Snowflake, number[]>;
  limit: { total: number; remaining: number; resetAtMs: number; maxConcurrency: number };
  /** Last IDENTIFY by concurrency bucket. */
  identifiedAtMs: Map<number, number>;
};

type UserRecord = { id: Snowflake; name: string; bot: boolean; locale: string };
export type RoleRecord = {
  id: Snowflake;
  name: string;
  permissions: bigint;
  position: number;
  botId: Snowflake | null;
};
export type MemberRecord = {
  userId: Snowflake;
  nick: string | null;
  roles: Set<Snowflake>;
  joinedAtMs: number;
};
export type Overwrite = { id: Snowflake; type: 0 | 1; allow: bigint; deny: bigint };
export type ChannelRecord = {
  id: Snowflake;
  guildId: Snowflake;
  name: string;
  position: number;
  overwrites: Overwrite[];
  messages: Map<Snowflake, MessageRecord>;
  /** Messages by author and nonce, for enforce_nonce. */
  nonces: Map<string, { messageId: Snowflake; atMs: number }>;
};
export type GuildRecord = {
  id: Snowflake;
  name: string;
  locale: string;
  ownerId: Snowflake;
  roles: Map<Snowflake, RoleRecord>;
  channels: Map<Snowflake, ChannelRecord>;
  members: Map<Snowflake, MemberRecord>;
  applications: Set<Snowflake>;
  botPermissions: bigint;
};
export type MessageRecord = {
  api: ApiMessage;
  /** The only user who sees it, when it is ephemeral. */
  onlyFor: Snowflake | null;
  edits: number;
  versions: number;
  /** What was shown last, to tell a changed content from a repeated one. */
  shown: string;
  loading: boolean;
  notified: Snowflake[];
  /** The application whose interactions its components cause. */
  applicationId: Snowflake | null;
};

/** Tells the gateway; sessions without the intent (bit field; 0 for none needed) or of another application hear nothing. */
type Dispatch = (
  target: { guildId: Snowflake; intent: number; applicationId?: Snowflake },
  event: string,
  data: unknown,
) => void;

export type World = {
  readonly clock: Clock;
  readonly newId: (atMs?: number) => Snowflake;
  readonly applications: Map<Snowflake, ApplicationRecord>;
  readonly users: Map<Snowflake, UserRecord>;
  readonly guilds: Map<Snowflake, GuildRecord>;
  readonly channels: Map<Snowflake, ChannelRecord>;
  /** Messages that components can be pressed on, ephemeral ones included. */
  readonly messages: Map<Snowflake, MessageRecord>;
  readonly attachments: Map<Snowflake, { filename: string; type: string; bytes: Uint8Array }>;
  readonly identifyTotal: number;
  dispatch: Dispatch;
};

/** A Discord in which nothing exists yet. */
export function emptyWorld(clock: Clock, identifyTotal: number): World {
  return {
    clock,
    newId: snowflakes(clock),
    applications: new Map(),
    users: new Map(),
    guilds: new Map(),
    channels: new Map(),
    messages: new Map(),
    attachments: new Map(),
    identifyTotal,
    dispatch: () => undefined,
  };
}

export function idOf(ref: Ref): Snowflake {
  return typeof ref === "string" ? ref : ref.id;
}

/** The entry of a map, or an error that names what is missing: for callers who made it themselves. */
export function known<T>(map: ReadonlyMap<Snowflake, T>, ref: Ref, what: string): T {
  const found = map.get(idOf(ref));
  if (found === undefined) throw new Error(`there is no ${what} ${idOf(ref)}`);
  return found;
}

export function newToken(id: Snowflake): string {
  const secret = randomBytes(33).toString("base64url");
  return `${Buffer.from(id).toString("base64url")}.${secret.slice(0, 6)}.${secret.slice(6)}`;
}

export function addApplication(world: World, spec: ApplicationSpec): ApplicationRecord {
  const id = spec.id ?? world.newId();
  if (world.applications.has(id)) throw new Error(`there already is an application ${id}`);
  const dayMs = 86_400_000;
  const record: ApplicationRecord = {
    id,
    token: spec.token ?? newToken(id),
    name: spec.name ?? "DKP",
    privilegedIntents: spec.privilegedIntents ?? 0,
    commands: new Map(),
    access: new Map(),
    creations: new Map(),
    limit: {
      total: world.identifyTotal,
      remaining: world.identifyTotal,
      resetAtMs: world.clock.nowMs() + dayMs,
      maxConcurrency: 1,
    },
    identifiedAtMs: new Map(),
  };
  world.applications.set(id, record);
  world.users.set(id, { id, name: record.name, bot: true, locale: "en-US" });
  return record;
}

export function addGuild(world: World, spec: GuildSpec): GuildRecord {
  const id = spec.id ?? world.newId();
  if (world.guilds.has(id)) throw new Error(`there already is a guild ${id}`);
  const owner = addUser(world, { name: "owner" });
  const guild: GuildRecord = {
    id,
    name: spec.name ?? "Guild",
    locale: spec.locale ?? "en-US",
    ownerId: owner.id,
    roles: new Map(),
    channels: new Map(),
    members: new Map(),
    applications: new Set(),
    botPermissions: BigInt(spec.botPermissions ?? everyoneDefaults),
  };
  guild.roles.set(id, { id, name: "@everyone", permissions: everyoneDefaults, position: 0, botId: null });
  world.guilds.set(id, guild);
  join(world, guild, owner.id, null, []);
  for (const role of spec.roles ?? []) addRole(world, guild, role);
  for (const channel of spec.channels ?? [{ name: "general" }]) addChannel(world, guild, channel);
  for (const member of spec.members ?? []) addMember(world, guild, member);
  for (const application of spec.applications ?? []) invite(world, guild, application);
  return guild;
}

export function addRole(world: World, guild: GuildRecord, spec: RoleSpec): RoleRecord {
  const id = spec.id ?? world.newId();
  const role: RoleRecord = {
    id,
    name: spec.name,
    permissions: BigInt(spec.permissions ?? 0n),
    position: guild.roles.size,
    botId: null,
  };
  guild.roles.set(id, role);
  return role;
}

export function addChannel(world: World, guild: GuildRecord, spec: ChannelSpec): ChannelRecord {
  const id = spec.id ?? world.newId();
  const channel: ChannelRecord = {
    id,
    guildId: guild.id,
    name: spec.name,
    position: guild.channels.size,
    overwrites: (spec.overwrites ?? []).map((overwrite) => overwriteRecord(guild, overwrite)),
    messages: new Map(),
    nonces: new Map(),
  };
  guild.channels.set(id, channel);
  world.channels.set(id, channel);
  return channel;
}

export function overwriteRecord(guild: GuildRecord, spec: OverwriteSpec): Overwrite {
  return {
    id: spec.type === "role" ? roleId(guild, spec.target) : idOf(spec.target),
    type: spec.type === "role" ? 0 : 1,
    allow: BigInt(spec.allow ?? 0n),
    deny: BigInt(spec.deny ?? 0n),
  };
}

/** A role's id from the role, its id or its name. */
export function roleId(guild: GuildRecord, ref: Ref): Snowflake {
  const wanted = idOf(ref);
  for (const role of guild.roles.values()) if (role.id === wanted || role.name === wanted) return role.id;
  throw new Error(`there is no role ${wanted} in guild ${guild.id}`);
}

export function addMember(world: World, guild: GuildRecord, spec: MemberSpec): MemberRecord {
  const user = addUser(world, spec);
  const roles = (spec.roles ?? []).map((role) => roleId(guild, role));
  return join(world, guild, user.id, spec.nick ?? null, roles);
}

function addUser(world: World, spec: { id?: Snowflake; name: string; locale?: string }): UserRecord {
  const id = spec.id ?? world.newId();
  const user = world.users.get(id) ?? { id, name: spec.name, bot: false, locale: spec.locale ?? "en-US" };
  world.users.set(id, user);
  return user;
}

function join(
  world: World,
  guild: GuildRecord,
  userId: Snowflake,
  nick: string | null,
  roles: Snowflake[],
): MemberRecord {
  if (guild.members.has(userId)) throw new Error(`user ${userId} is a member of guild ${guild.id} already`);
  const member = { userId, nick, roles: new Set(roles), joinedAtMs: world.clock.nowMs() };
  guild.members.set(userId, member);
  return member;
}

/** Invites a bot: it becomes a member with a managed role of its own. */
export function invite(world: World, guild: GuildRecord, ref: Ref): void {
  const application = known(world.applications, ref, "application");
  if (guild.applications.has(application.id)) return;
  const role = addRole(world, guild, { name: application.name, permissions: guild.botPermissions });
  role.botId = application.id;
  guild.applications.add(application.id);
  join(world, guild, application.id, null, [role.id]);
}

export function kick(guild: GuildRecord, applicationId: Snowflake): void {
  guild.applications.delete(applicationId);
  guild.members.delete(applicationId);
  for (const role of guild.roles.values()) if (role.botId === applicationId) guild.roles.delete(role.id);
}
