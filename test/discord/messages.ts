import { GatewayDispatchEvents, GatewayIntentBits, MessageFlags } from "discord-api-types/v10";
import { componentFaults, storedComponents, type Fault } from "./components.ts";
import type { ApiMessage, Component, Embed, Snowflake } from "./driver.ts";
import { mentions, type AllowedMentions } from "./mentions.ts";
import { driverMessage, partialMember } from "./objects.ts";
import { invalidForm, refuse } from "./refusal.ts";
import { tree } from "./schema.ts";
import { known, type ChannelRecord, type GuildRecord, type MessageRecord, type World } from "./world.ts";

export type MessageBody = {
  content?: string | null;
  embeds?: Embed[] | null;
  components?: Component[] | null;
  flags?: number | null;
  allowed_mentions?: AllowedMentions | null;
  tts?: boolean | null;
  nonce?: string | number | null;
  enforce_nonce?: boolean | null;
  attachments?: { id: string | number; filename?: string | null; description?: string | null }[] | null;
  message_reference?: { message_id: string } | null;
};
/** A file of a multipart request. */
export type Upload = { filename: string; type: string; bytes: Uint8Array };

const maxContent = 2_000;
const maxEmbedText = 6_000;
const editableFlags = MessageFlags.SuppressEmbeds | MessageFlags.IsComponentsV2;
const creatableFlags = editableFlags | MessageFlags.SuppressNotifications | MessageFlags.Ephemeral;

/** Puts a body into a message, new or edited, or refuses it as Discord does; `at` is where the body lies in the request. */
export function compose(
  world: World,
  record: MessageRecord,
  body: MessageBody,
  context: { edit: boolean; uploads: Upload[]; baseUrl: string; at?: string[] },
): void {
  const { api } = record;
  const before = api.flags;
  const given = body.flags ?? 0;
  const flags = context.edit
    ? (before & ~MessageFlags.SuppressEmbeds) | (given & editableFlags)
    : before | (given & creatableFlags);
  const merged = {
    content: body.content === undefined ? api.content : (body.content ?? ""),
    embeds: body.embeds === undefined ? null : (body.embeds ?? []),
    components: body.components === undefined ? null : (body.components ?? []),
  };
  const v2 = (flags & MessageFlags.IsComponentsV2) !== 0;
  const faults = messageFaults(body, v2);
  if (faults.length > 0) {
    const at = context.at ?? [];
    invalidForm(tree(faults.map((fault) => ({ ...fault, path: [...at, ...fault.path] }))));
  }
  const attachments = keptAttachments(world, api, body, context);
  const left =
    merged.content !== "" ||
    (merged.embeds ?? api.embeds).length > 0 ||
    (merged.components ?? api.components).length > 0 ||
    attachments.length > 0;
  if (!left) refuse(400, 50006, "Cannot send an empty message");
  api.content = merged.content;
  if (merged.embeds !== null) api.embeds = merged.embeds.map(storedEmbed);
  if (merged.components !== null) {
    api.components = storedComponents(merged.components, world.newId);
  }
  api.attachments = attachments;
  api.flags = flags;
  if (body.tts === true) api.tts = true;
  applyMentions(world, record, body);
  const shown = JSON.stringify([api.content, api.embeds, api.components, api.attachments]);
  if (shown !== record.shown) record.versions += 1;
  record.shown = shown;
}

function messageFaults(body: MessageBody, v2: boolean): Fault[] {
  const faults: Fault[] = [];
  const content = body.content ?? "";
  const embeds = body.embeds ?? [];
  if (content.length > maxContent) {
    const message = `Must be ${maxContent} or fewer in length.`;
    faults.push({ path: ["content"], code: "BASE_TYPE_MAX_LENGTH", message });
  }
  if (embeds.reduce((sum, embed) => sum + embedText(embed), 0) > maxEmbedText) {
    const message = `Embed size exceeds maximum size of ${maxEmbedText}`;
    faults.push({ path: ["embeds"], code: "MAX_EMBED_SIZE_EXCEEDED", message });
  }
  embeds.forEach((embed, index) => {
    const bare = ["title", "description", "fields", "author", "footer", "image", "thumbnail"] as const;
    if (bare.some((part) => embed[part] !== undefined && embed[part] !== null)) return;
    const path = ["embeds", String(index), "description"];
    faults.push({ path, code: "BASE_TYPE_REQUIRED", message: "This field is required" });
  });
  if (v2 && (content !== "" || embeds.length > 0)) {
    const path = [content === "" ? "embeds" : "content"];
    const message = "The field cannot be used with the flag IS_COMPONENTS_V2";
    faults.push({ path, code: "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", message });
  }
  return [...faults, ...mentionFaults(body), ...componentFaults(body.components ?? [], v2)];
}

function mentionFaults({ allowed_mentions: allowed }: MessageBody): Fault[] {
  return (["users", "roles"] as const).flatMap((kind) => {
    if (!allowed?.parse?.includes(kind) || (allowed[kind] ?? []).length === 0) return [];
    const message = `parse:["${kind}"] and ${kind}: [ids...] are mutually exclusive.`;
    return [{ path: ["allowed_mentions"], code: "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", message }];
  });
}

/** Characters of an embed that count towards the 6,000. */
function embedText(embed: Embed): number {
  const parts = [
    embed.title,
    embed.description,
    embed.footer?.text,
    embed.author?.name,
    ...(embed.fields ?? []).flatMap(({ name, value }) => [name, value]),
  ];
  return parts.reduce((sum, part) => sum + (part?.length ?? 0), 0);
}

function storedEmbed(embed: Embed): Embed {
  const clean = Object.fromEntries(Object.entries(embed).filter(([, value]) => value !== null)) as Embed;
  const fields = clean.fields?.map((field) => ({ ...field, inline: field.inline ?? false }));
  const timestamp = clean.timestamp === undefined ? undefined : new Date(clean.timestamp).toISOString();
  return {
    ...clean,
    type: "rich",
    ...(fields === undefined ? {} : { fields }),
    ...(timestamp === undefined ? {} : { timestamp }),
  };
}

function keptAttachments(
  world: World,
  api: ApiMessage,
  body: MessageBody,
  { uploads, baseUrl }: { uploads: Upload[]; baseUrl: string },
): ApiMessage["attachments"] {
  const listed = body.attachments;
  const kept = listed
    ? api.attachments.filter(({ id }) => listed.some((entry) => String(entry.id) === id))
    : api.attachments;
  const added = uploads.map(({ filename, type, bytes }) => {
    const id = world.newId();
    world.attachments.set(id, { filename, type, bytes });
    const url = `${baseUrl}/attachments/${id}/${encodeURIComponent(filename)}`;
    return { id, filename, size: bytes.length, url, proxy_url: url, content_type: type };
  });
  return [...kept, ...added];
}

function applyMentions(world: World, record: MessageRecord, body: MessageBody): void {
  const channel = known(world.channels, record.api.channel_id, "channel");
  const guild = known(world.guilds, channel.guildId, "guild");
  const found = mentions(world, guild, channel, record.api, body.allowed_mentions ?? null);
  record.api.mentions = found.users;
  record.api.mention_roles = found.roles;
  record.api.mention_everyone = found.everyone;
  // An edit notifies nobody anew, and neither does a message that asks for silence.
  const silent = (record.api.flags & MessageFlags.SuppressNotifications) !== 0;
  if (record.edits === 0 && !silent) record.notified = found.notified;
}

/** Makes a message known: to the channel unless it is ephemeral, and to the gateway. */
export function publish(world: World, record: MessageRecord): void {
  world.messages.set(record.api.id, record);
  if (record.onlyFor !== null) return;
  const channel = known(world.channels, record.api.channel_id, "channel");
  channel.messages.set(record.api.id, record);
  announce(world, channel, record, GatewayDispatchEvents.MessageCreate);
}

export function edited(world: World, record: MessageRecord): void {
  record.edits += 1;
  record.api.edited_timestamp = new Date(world.clock.nowMs()).toISOString();
  if (record.onlyFor !== null) return;
  const channel = known(world.channels, record.api.channel_id, "channel");
  announce(world, channel, record, GatewayDispatchEvents.MessageUpdate);
}

export function removeMessage(world: World, record: MessageRecord): void {
  world.messages.delete(record.api.id);
  const channel = known(world.channels, record.api.channel_id, "channel");
  if (!channel.messages.delete(record.api.id)) return;
  const data = { id: record.api.id, channel_id: channel.id, guild_id: channel.guildId };
  const target = { guildId: channel.guildId, intent: GatewayIntentBits.GuildMessages };
  world.dispatch(target, GatewayDispatchEvents.MessageDelete, data);
}

function announce(world: World, channel: ChannelRecord, record: MessageRecord, event: string): void {
  const guild: GuildRecord = known(world.guilds, channel.guildId, "guild");
  const member = guild.members.get(record.api.author.id);
  for (const applicationId of guild.applications) {
    const data = {
      ...record.api,
      ...(ownOrMentioned(record, applicationId)
        ? {}
        : { content: "", embeds: [], components: [], attachments: [] }),
      guild_id: guild.id,
      ...(member === undefined ? {} : { member: { ...partialMember(member), mute: false, deaf: false } }),
    };
    const intent = GatewayIntentBits.GuildMessages;
    world.dispatch({ guildId: guild.id, intent, applicationId }, event, data);
  }
}

/** Content that a bot without the message content intent still sees. */
function ownOrMentioned({ api }: MessageRecord, applicationId: Snowflake): boolean {
  return api.author.id === applicationId || api.mentions.some(({ id }) => id === applicationId);
}

/** The messages of a channel that everybody in it sees, oldest first. */
export function channelMessages(channel: ChannelRecord) {
  return [...channel.messages.values()].map(driverMessage);
}
