import { randomBytes } from "node:crypto";
import type { InteractionRecord, Snowflake } from "./driver.ts";
import { apiGuild, apiMember, apiUser, botPermissionsIn, interactionChannel } from "./objects.ts";
import { channelPermissions } from "./permissions.ts";
import type { ChannelRecord, GuildRecord, MemberRecord, MessageRecord, World } from "./world.ts";

export const interactionType = { command: 2, component: 3, autocomplete: 4, modal: 5 } as const;
type InteractionType = (typeof interactionType)[keyof typeof interactionType];

export type InteractionEntry = {
  record: Omit<InteractionRecord, "original" | "followups">;
  type: InteractionType;
  token: string;
  /** By the monotonic clock, in milliseconds. */
  startedAt: number;
  /** Name of the command that started it, for the message's metadata. */
  commandName: string;
  /** The message whose component caused it. */
  source: MessageRecord | null;
  ephemeral: boolean;
  original: MessageRecord | null;
  followups: MessageRecord[];
  /** Type of the option that is typed into, for autocomplete. */
  focusedType: number | null;
  watchers: Set<() => void>;
  cancelTimer: () => void;
};

export type Origin = {
  applicationId: Snowflake;
  guild: GuildRecord;
  channel: ChannelRecord;
  member: MemberRecord;
  type: InteractionType;
  data: Record<string, unknown>;
  commandName: string;
  source?: MessageRecord;
  focusedType?: number;
  sentAtMs?: number;
};

/** A new interaction, not yet sent. */
export function newEntry(world: World, origin: Origin): InteractionEntry {
  const id = world.newId(origin.sentAtMs);
  return {
    record: {
      id,
      applicationId: origin.applicationId,
      guildId: origin.guild.id,
      channelId: origin.channel.id,
      userId: origin.member.userId,
      state: "pending",
      callback: null,
      sentAtMs: world.clock.nowMs(),
      acknowledgedAtMs: null,
      answeredAtMs: null,
      acknowledgedAfterMs: null,
      answeredAfterMs: null,
      failure: null,
      revision: 0,
      refusedCallbacks: [],
      modal: null,
      choices: null,
    },
    type: origin.type,
    token: `aW50ZXJhY3Rpb246${randomBytes(96).toString("base64url")}`,
    startedAt: performance.now(),
    commandName: origin.commandName,
    source: origin.source ?? null,
    ephemeral: false,
    original: null,
    followups: [],
    focusedType: origin.focusedType ?? null,
    watchers: new Set(),
    cancelTimer: () => undefined,
  };
}

/** The interaction as the gateway sends it. */
export function wire(world: World, entry: InteractionEntry, { guild, channel, member, data }: Origin) {
  const { record } = entry;
  const user = world.users.get(member.userId);
  return {
    id: record.id,
    application_id: record.applicationId,
    type: entry.type,
    token: entry.token,
    version: 1,
    data,
    guild_id: guild.id,
    guild: { id: guild.id, locale: guild.locale, features: apiGuild(guild).features },
    guild_locale: guild.locale,
    channel_id: channel.id,
    channel: interactionChannel(guild, channel, member),
    member: {
      ...apiMember(world, member),
      permissions: channelPermissions(guild, member, channel).toString(),
    },
    locale: user?.locale ?? "en-US",
    app_permissions: botPermissionsIn(guild, channel, record.applicationId),
    entitlements: [],
    authorizing_integration_owners: { "0": guild.id },
    context: 0,
    attachment_size_limit: 10_485_760,
    ...(entry.source === null ? {} : { message: structuredClone(entry.source.api) }),
  };
}

/** What a message says about the interaction that it answers. */
export function metadata(world: World, entry: InteractionEntry): Record<string, unknown> {
  const { record, source } = entry;
  const base = {
    id: record.id,
    user: apiUser(world, record.userId),
    authorizing_integration_owners: { "0": record.guildId },
  };
  if (entry.type === interactionType.command) {
    const { id, user } = base;
    return {
      interaction_metadata: { ...base, type: 2 },
      interaction: { id, type: 2, name: entry.commandName, user },
    };
  }
  const component = { ...base, type: 3, interacted_message_id: source?.api.id ?? record.id };
  if (entry.type === interactionType.component) return { interaction_metadata: component };
  const trigger = source === null ? { ...base, type: 2 } : component;
  return { interaction_metadata: { ...base, type: 5, triggering_interaction_metadata: trigger } };
}
