/**
 * What discord.js would keep in memory, cut to nothing: commands come as raw interactions and answers go out as raw
 * requests, so no object of its caches is ever read.
 */
export const emptiedCaches = {
  ApplicationCommandManager: 0,
  ApplicationEmojiManager: 0,
  AutoModerationRuleManager: 0,
  BaseGuildEmojiManager: 0,
  DMMessageManager: 0,
  EntitlementManager: 0,
  GuildBanManager: 0,
  GuildEmojiManager: 0,
  GuildForumThreadManager: 0,
  GuildInviteManager: 0,
  GuildMemberManager: 0,
  GuildMessageManager: 0,
  GuildScheduledEventManager: 0,
  GuildStickerManager: 0,
  GuildTextThreadManager: 0,
  MessageManager: 0,
  PresenceManager: 0,
  ReactionManager: 0,
  ReactionUserManager: 0,
  StageInstanceManager: 0,
  ThreadManager: 0,
  ThreadMemberManager: 0,
  UserManager: 0,
  VoiceStateManager: 0,
} as const;

const lists = ["channels", "threads", "roles", "emojis", "stickers", "members", "presences", "voice_states"];

/** Empties the lists of a guild's announcement; channels and roles are caches that discord.js offers no limit for. */
export function stripped(guild: Record<string, unknown>): void {
  for (const list of lists) {
    if (Array.isArray(guild[list])) {
      guild[list] = [];
    }
  }
}
