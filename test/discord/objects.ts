import type { ApiMessage, Message, User } from "./driver.ts";
import { channelPermissions, guildPermissions } from "./permissions.ts";
import { timeOf } from "./snowflake.ts";
import type {
  ApplicationRecord,
  ChannelRecord,
  GuildRecord,
  MemberRecord,
  MessageRecord,
  RoleRecord,
  World,
} from "./world.ts";
import { known } from "./world.ts";

export function apiUser(world: World, userId: string): User {
  const user = known(world.users, userId, "user");
  return {
    id: user.id,
    username: user.name.toLowerCase().replaceAll(/[^a-z0-9_.]/g, "_"),
    global_name: user.bot ? null : user.name,
    discriminator: user.bot ? "0001" : "0",
    avatar: null,
    banner: null,
    accent_color: null,
    avatar_decoration_data: null,
    collectibles: null,
    primary_guild: null,
    public_flags: 0,
    flags: 0,
    ...(user.bot ? { bot: true } : {}),
  };
}

/** A member without `user`, as in resolved data. */
export function partialMember(member: MemberRecord) {
  return {
    nick: member.nick,
    avatar: null,
    banner: null,
    avatar_decoration_data: null,
    collectibles: null,
    roles: [...member.roles],
    joined_at: new Date(member.joinedAtMs).toISOString(),
    premium_since: null,
    communication_disabled_until: null,
    flags: 0,
    pending: false,
  };
}

export function apiMember(world: World, member: MemberRecord) {
  return { ...partialMember(member), mute: false, deaf: false, user: apiUser(world, member.userId) };
}

export function apiRole(role: RoleRecord) {
  return {
    id: role.id,
    name: role.name,
    permissions: role.permissions.toString(),
    position: role.position,
    color: 0,
    colors: { primary_color: 0, secondary_color: null, tertiary_color: null },
    hoist: false,
    managed: role.botId !== null,
    mentionable: false,
    icon: null,
    unicode_emoji: null,
    flags: 0,
    ...(role.botId === null ? {} : { tags: { bot_id: role.botId } }),
  };
}

export function apiChannel(channel: ChannelRecord) {
  return {
    id: channel.id,
    type: 0,
    guild_id: channel.guildId,
    name: channel.name,
    position: channel.position,
    parent_id: null,
    topic: null,
    nsfw: false,
    rate_limit_per_user: 0,
    last_message_id: [...channel.messages.keys()].at(-1) ?? null,
    flags: 0,
    permission_overwrites: channel.overwrites.map(({ id, type, allow, deny }) => ({
      id,
      type,
      allow: allow.toString(),
      deny: deny.toString(),
    })),
  };
}

/** A channel as an interaction carries it, with the member's permissions in it. */
export function interactionChannel(guild: GuildRecord, channel: ChannelRecord, member: MemberRecord) {
  const { permission_overwrites: _, ...rest } = apiChannel(channel);
  return { ...rest, permissions: channelPermissions(guild, member, channel).toString() };
}

/** A guild as REST answers it. */
export function apiGuild(guild: GuildRecord) {
  return {
    id: guild.id,
    name: guild.name,
    icon: null,
    description: null,
    home_header: null,
    splash: null,
    discovery_splash: null,
    features: [],
    banner: null,
    owner_id: guild.ownerId,
    application_id: null,
    region: "deprecated",
    afk_channel_id: null,
    afk_timeout: 300,
    system_channel_id: null,
    system_channel_flags: 0,
    widget_enabled: false,
    widget_channel_id: null,
    verification_level: 0,
    roles: [...guild.roles.values()].map(apiRole),
    default_message_notifications: 0,
    mfa_level: 0,
    explicit_content_filter: 0,
    max_presences: null,
    max_members: 500_000,
    max_stage_video_channel_users: 50,
    max_video_channel_users: 25,
    vanity_url_code: null,
    premium_tier: 0,
    premium_subscription_count: 0,
    preferred_locale: guild.locale,
    rules_channel_id: null,
    safety_alerts_channel_id: null,
    public_updates_channel_id: null,
    premium_progress_bar_enabled: false,
    nsfw: false,
    nsfw_level: 0,
    emojis: [],
    stickers: [],
    incidents_data: null,
  };
}

/** A guild as GUILD_CREATE carries it: channels and, without the members intent, only the bot itself. */
export function gatewayGuild(world: World, guild: GuildRecord, applicationId: string, allMembers: boolean) {
  const self = known(guild.members, applicationId, "member");
  const shown = allMembers ? [...guild.members.values()] : [self];
  return {
    ...apiGuild(guild),
    joined_at: new Date(self.joinedAtMs).toISOString(),
    hub_type: null,
    large: false,
    unavailable: false,
    member_count: guild.members.size,
    members: shown.map((member) => apiMember(world, member)),
    channels: [...guild.channels.values()].map(apiChannel),
    threads: [],
    presences: [],
    voice_states: [],
    stage_instances: [],
    guild_scheduled_events: [],
    soundboard_sounds: [],
  };
}

export function apiApplication(world: World, application: ApplicationRecord, owner: string) {
  return {
    id: application.id,
    name: application.name,
    icon: null,
    description: "",
    type: null,
    flags: 0,
    flags_new: "0",
    bot: apiUser(world, application.id),
    bot_public: true,
    bot_require_code_grant: false,
    verify_key: application.id.padStart(64, "0"),
    redirect_uris: [],
    interactions_endpoint_url: null,
    role_connections_verification_url: null,
    owner: apiUser(world, owner),
    approximate_guild_count: [...world.guilds.values()].filter((g) => g.applications.has(application.id))
      .length,
    approximate_user_install_count: 0,
    approximate_user_authorization_count: 0,
    explicit_content_filter: 0,
    team: null,
    eligible_oauth2_scopes: [],
  };
}

/** Who the bot is in the guild, for interactions. */
export function botPermissionsIn(guild: GuildRecord, channel: ChannelRecord, applicationId: string): string {
  const bot = guild.members.get(applicationId);
  return (bot === undefined ? 0n : channelPermissions(guild, bot, channel)).toString();
}

export function memberPermissions(guild: GuildRecord, member: MemberRecord): string {
  return guildPermissions(guild, member).toString();
}

/** A message as the driver shows it. */
export function driverMessage(record: MessageRecord): Message {
  return {
    ...structuredClone(record.api),
    ephemeral: record.onlyFor !== null,
    edits: record.edits,
    versions: record.versions,
    loading: record.loading,
    notified: record.notified,
  };
}

/** A message before its content. */
export function newMessage(
  api: ApiMessage,
  more: { onlyFor?: string | null; applicationId?: string | null } = {},
): MessageRecord {
  const { onlyFor = null, applicationId = null } = more;
  return { api, onlyFor, applicationId, edits: 0, versions: 0, shown: "", loading: false, notified: [] };
}

/** The skeleton of a message as the API has it. */
export function blankMessage(world: World, channelId: string, authorId: string): ApiMessage {
  const id = world.newId();
  return {
    id,
    type: 0,
    channel_id: channelId,
    author: apiUser(world, authorId),
    content: "",
    timestamp: new Date(timeOf(id)).toISOString(),
    edited_timestamp: null,
    tts: false,
    mention_everyone: false,
    mentions: [],
    mention_roles: [],
    attachments: [],
    embeds: [],
    components: [],
    pinned: false,
    flags: 0,
  };
}
