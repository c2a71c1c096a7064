import { GatewayDispatchEvents, GatewayIntentBits } from "discord-api-types/v10";
import type { Application, Channel, Chaos, DiscordDriver, Guild, Member, Role } from "./driver.ts";
import type { Faults } from "./faults.ts";
import type { Gateway } from "./gateway.ts";
import { listCommands } from "./commands.ts";
import { apiChannel, apiMember, apiRole, apiUser } from "./objects.ts";
import {
  addApplication,
  addChannel,
  addGuild,
  addMember,
  addRole,
  idOf,
  invite,
  kick,
  known,
  newToken,
  overwriteRecord,
  roleId,
  type ApplicationRecord,
  type ChannelRecord,
  type GuildRecord,
  type MemberRecord,
  type RoleRecord,
  type World,
} from "./world.ts";

type Stage = Pick<
  DiscordDriver,
  | "addApplication"
  | "resetToken"
  | "addGuild"
  | "addRole"
  | "addChannel"
  | "setOverwrites"
  | "addMember"
  | "updateMember"
  | "removeMember"
  | "invite"
  | "kick"
  | "commands"
  | "setCommandAccess"
  | "chaos"
>;

/** The part of the driver that builds and changes the world; sessions hear of changes as from Discord. */
export function stage(world: World, gateway: Gateway, faults: Faults): Stage {
  const guildOf = (ref: Parameters<typeof idOf>[0]) => known(world.guilds, ref, "guild");
  const tell = (guild: GuildRecord, intent: number, event: string, data: object) =>
    world.dispatch({ guildId: guild.id, intent }, event, data);
  return {
    addApplication: async (spec = {}) => application(addApplication(world, spec)),
    async resetToken(ref, token, { keepSessions = false } = {}) {
      const found = known(world.applications, ref, "application");
      found.token = token ?? newToken(found.id);
      if (!keepSessions) gateway.tokenChanged(found);
      return application(found);
    },
    async addGuild(spec = {}) {
      const guild = addGuild(world, spec);
      for (const id of guild.applications) gateway.joined(id, guild.id);
      return described(world, guild);
    },
    async addRole(ref, spec) {
      const guild = guildOf(ref);
      const added = addRole(world, guild, spec);
      const data = { guild_id: guild.id, role: apiRole(added) };
      tell(guild, GatewayIntentBits.Guilds, GatewayDispatchEvents.GuildRoleCreate, data);
      return role(guild, added);
    },
    async addChannel(ref, spec) {
      const guild = guildOf(ref);
      const added = addChannel(world, guild, spec);
      tell(guild, GatewayIntentBits.Guilds, GatewayDispatchEvents.ChannelCreate, apiChannel(added));
      return channel(added);
    },
    async setOverwrites(ref, overwrites) {
      const found = known(world.channels, ref, "channel");
      const guild = guildOf(found.guildId);
      found.overwrites = overwrites.map((overwrite) => overwriteRecord(guild, overwrite));
      tell(guild, GatewayIntentBits.Guilds, GatewayDispatchEvents.ChannelUpdate, apiChannel(found));
    },
    async addMember(ref, spec) {
      const guild = guildOf(ref);
      const added = addMember(world, guild, spec);
      const data = { ...apiMember(world, added), guild_id: guild.id };
      tell(guild, GatewayIntentBits.GuildMembers, GatewayDispatchEvents.GuildMemberAdd, data);
      return member(world, guild, added);
    },
    async updateMember({ id, guildId }, change) {
      const guild = guildOf(guildId);
      const found = known(guild.members, id, "member");
      if (change.nick !== undefined) found.nick = change.nick;
      if (change.roles !== undefined) found.roles = new Set(change.roles.map((ref) => roleId(guild, ref)));
      const data = { ...apiMember(world, found), guild_id: guild.id };
      tell(guild, GatewayIntentBits.GuildMembers, GatewayDispatchEvents.GuildMemberUpdate, data);
      return member(world, guild, found);
    },
    async removeMember({ id, guildId }) {
      const guild = guildOf(guildId);
      guild.members.delete(id);
      const data = { guild_id: guild.id, user: apiUser(world, id) };
      tell(guild, GatewayIntentBits.GuildMembers, GatewayDispatchEvents.GuildMemberRemove, data);
    },
    async invite(ref, app) {
      const guild = guildOf(ref);
      if (guild.applications.has(idOf(app))) return;
      invite(world, guild, app);
      gateway.joined(idOf(app), guild.id);
    },
    async kick(ref, app) {
      const guild = guildOf(ref);
      gateway.left(idOf(app), guild.id);
      kick(guild, idOf(app));
      known(world.applications, app, "application").commands.delete(guild.id);
    },
    commands: async (app, guild) => listCommands(known(world.applications, app, "application"), idOf(guild)),
    async setCommandAccess(app, guild, name, access) {
      const record = known(world.applications, app, "application");
      const commands = record.commands.get(idOf(guild)) ?? [];
      const command = commands.find((found) => found.name === name);
      if (command === undefined) throw new Error(`there is no command /${name}`);
      const overrides = access.map(({ target, type, allow }) => ({ id: idOf(target), type, allow }));
      record.access.set(command.id, overrides);
    },
    chaos: chaos(world, gateway, faults),
  };
}

function chaos(world: World, gateway: Gateway, faults: Faults): Chaos {
  return {
    fault: async (fault) => faults.add(fault),
    disconnect: async (target = {}) => gateway.disconnect(target),
    reconnect: async (target = {}) => gateway.reconnect(target),
    invalidate: async (target = {}) => gateway.invalidate(target),
    freeze: async (target = {}) => gateway.freeze(target),
    gatewayDown: async (down) => gateway.setDown(down),
    deliveries: async (count) => gateway.setDeliveries(count),
    async sessionStartLimit(app, { resetAfterMs, ...change }) {
      const { limit } = known(world.applications, app, "application");
      Object.assign(limit, change);
      if (resetAfterMs !== undefined) limit.resetAtMs = world.clock.nowMs() + resetAfterMs;
    },
    async calm() {
      faults.clear();
      gateway.setDown(false);
      gateway.setDeliveries(1);
    },
  };
}

function application({ id, token, name }: ApplicationRecord): Application {
  return { id, token, name };
}

function role(guild: GuildRecord, { id, name, permissions }: RoleRecord): Role {
  return { id, guildId: guild.id, name, permissions: permissions.toString() };
}

function channel({ id, guildId, name }: ChannelRecord): Channel {
  return { id, guildId, name };
}

function member(world: World, guild: GuildRecord, { userId, nick, roles }: MemberRecord): Member {
  const { name } = known(world.users, userId, "user");
  return { id: userId, guildId: guild.id, name, nick, roles: [...roles] };
}

/** What was asked for: without @everyone, the owner and the bots. */
function described(world: World, guild: GuildRecord): Guild {
  const { id, name, ownerId } = guild;
  const people = [...guild.members.values()].filter(
    ({ userId }) => userId !== ownerId && !guild.applications.has(userId),
  );
  return {
    id,
    name,
    ownerId,
    roles: [...guild.roles.values()]
      .filter((found) => found.id !== id && found.botId === null)
      .map((found) => role(guild, found)),
    channels: [...guild.channels.values()].map(channel),
    members: people.map((found) => member(world, guild, found)),
  };
}
