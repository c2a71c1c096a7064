import { PermissionFlagsBits as Permission } from "discord-api-types/v10";
import type { Command, Snowflake } from "./driver.ts";
import type { AccessRecord, ChannelRecord, GuildRecord, MemberRecord } from "./world.ts";

/** What @everyone may in a new guild, and an invited bot's managed role unless told otherwise. */
export const everyoneDefaults =
  Permission.ViewChannel |
  Permission.SendMessages |
  Permission.EmbedLinks |
  Permission.AttachFiles |
  Permission.ReadMessageHistory |
  Permission.UseApplicationCommands |
  Permission.AddReactions |
  Permission.UseExternalEmojis;

const everything = Object.values(Permission).reduce((sum, bit) => sum | bit, 0n);

/** A member's permissions in the guild as a whole: everything for the owner and administrators. */
export function guildPermissions(guild: GuildRecord, member: MemberRecord): bigint {
  if (guild.ownerId === member.userId) return everything;
  let sum = guild.roles.get(guild.id)?.permissions ?? 0n;
  for (const id of member.roles) sum |= guild.roles.get(id)?.permissions ?? 0n;
  return (sum & Permission.Administrator) === 0n ? sum : everything;
}

/** A member's permissions in a channel: @everyone's overwrite, then all of the roles' together, then the member's own. */
export function channelPermissions(guild: GuildRecord, member: MemberRecord, channel: ChannelRecord): bigint {
  const base = guildPermissions(guild, member);
  if (base === everything) return base;
  const own = (id: Snowflake) => channel.overwrites.filter((overwrite) => overwrite.id === id);
  const steps = [own(guild.id), [...member.roles].flatMap(own), own(member.userId)];
  const result = steps.reduce((permissions, overwrites) => {
    const deny = overwrites.reduce((sum, overwrite) => sum | overwrite.deny, 0n);
    const allow = overwrites.reduce((sum, overwrite) => sum | overwrite.allow, 0n);
    return (permissions & ~deny) | allow;
  }, base);
  return (result & Permission.ViewChannel) === 0n ? 0n : result;
}

export function allowed(permissions: bigint, needed: bigint): boolean {
  return (permissions & needed) === needed;
}

/** Whether a member may run a command here: an administrator's overrides first, default_member_permissions otherwise. */
export function mayUseCommand(
  guild: GuildRecord,
  member: MemberRecord,
  channel: ChannelRecord,
  command: Command,
  access: readonly AccessRecord[],
): boolean {
  const permissions = channelPermissions(guild, member, channel);
  if (permissions === everything) return true;
  if (!allowed(permissions, Permission.ViewChannel | Permission.UseApplicationCommands)) return false;
  const find = (type: string, id: Snowflake) =>
    access.find((entry) => entry.type === type && entry.id === id)?.allow;
  if (find("channel", channel.id) === false) return false;
  const user = find("user", member.userId);
  if (user !== undefined) return user;
  const byRole = [...member.roles].map((id) => find("role", id)).filter((allow) => allow !== undefined);
  if (byRole.length > 0) return byRole.includes(true);
  const everyone = find("role", guild.id);
  if (everyone !== undefined) return everyone;
  const needed = command.default_member_permissions;
  if (needed === null || needed === undefined) return true;
  return needed !== "0" && allowed(permissions, BigInt(needed));
}
