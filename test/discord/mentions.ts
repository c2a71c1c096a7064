import { PermissionFlagsBits } from "discord-api-types/v10";
import type { ApiMessage, Snowflake, User } from "./driver.ts";
import { apiUser } from "./objects.ts";
import { allowed, channelPermissions } from "./permissions.ts";
import type { ChannelRecord, GuildRecord, World } from "./world.ts";

export type AllowedMentions = {
  parse?: ("users" | "roles" | "everyone" | null)[] | null;
  users?: (Snowflake | null)[] | null;
  roles?: (Snowflake | null)[] | null;
  replied_user?: boolean | null;
};

type Found = { users: User[]; roles: Snowflake[]; everyone: boolean; notified: Snowflake[] };

function matches(content: string, pattern: RegExp): Snowflake[] {
  return [...new Set([...content.matchAll(pattern)].flatMap((match) => match[1] ?? []))];
}

/** Whom a message mentions and notifies, after allowed_mentions; all that is written when that is absent. */
export function mentions(
  world: World,
  guild: GuildRecord,
  channel: ChannelRecord,
  api: ApiMessage,
  allowedMentions: AllowedMentions | null,
): Found {
  const text = api.content;
  const may = (kind: "users" | "roles", id: Snowflake) =>
    allowedMentions === null ||
    (allowedMentions.parse ?? []).includes(kind) ||
    (allowedMentions[kind] ?? []).includes(id);
  const author = guild.members.get(api.author.id);
  const permissions = author === undefined ? 0n : channelPermissions(guild, author, channel);
  const users = matches(text, /<@!?(\d+)>/g).filter((id) => world.users.has(id) && may("users", id));
  const roles = matches(text, /<@&(\d+)>/g).filter((id) => guild.roles.has(id) && may("roles", id));
  const everyone =
    /@(everyone|here)\b/.test(text) &&
    (allowedMentions === null || (allowedMentions.parse ?? []).includes("everyone")) &&
    allowed(permissions, PermissionFlagsBits.MentionEveryone);
  const byRole = [...guild.members.values()].filter(
    (member) => everyone || roles.some((role) => member.roles.has(role)),
  );
  const notified = new Set([
    ...users.filter((id) => guild.members.has(id)),
    ...byRole.map(({ userId }) => userId),
  ]);
  notified.delete(api.author.id);
  return { users: users.map((id) => apiUser(world, id)), roles, everyone, notified: [...notified] };
}
