import { MessageFlags, PermissionFlagsBits as Permission } from "discord-api-types/v10";
import { compose, edited, publish, removeMessage, type MessageBody } from "./messages.ts";
import { apiChannel, blankMessage, newMessage } from "./objects.ts";
import { allowed, channelPermissions } from "./permissions.ts";
import { missingAccess, missingPermissions, refuse, unknown } from "./refusal.ts";
import { bucket, nothing, ok, type Call, type Route, type RouteContext } from "./route.ts";
import type { ChannelRecord, MessageRecord, World } from "./world.ts";

const nonceLifeMs = 5 * 60_000;

/** A channel that the bot sees, with its permissions there. */
function channelFor(world: World, { application, parameters }: Call) {
  const channel = world.channels.get(parameters["channel"] ?? "");
  if (channel === undefined) return unknown.channel();
  const guild = world.guilds.get(channel.guildId);
  const bot = guild?.members.get(application.id);
  if (guild === undefined || bot === undefined) return missingAccess();
  const permissions = channelPermissions(guild, bot, channel);
  if (!allowed(permissions, Permission.ViewChannel)) return missingAccess();
  return { channel, permissions };
}

function mayRead(permissions: bigint): boolean {
  return allowed(permissions, Permission.ReadMessageHistory);
}

function find(channel: ChannelRecord, { parameters }: Call): MessageRecord {
  return channel.messages.get(parameters["message"] ?? "") ?? unknown.message();
}

/** Channels and their messages. */
export function channelRoutes({ world, baseUrl }: RouteContext): Route[] {
  const path = "/channels/:channel/messages";
  const base = { authenticated: true, response: "MessageResponse" };
  return [
    {
      ...base,
      method: "GET",
      path: "/channels/:channel",
      response: "GuildChannelResponse",
      bucket: bucket("get channel", 30, 1_000, "channel"),
      handle: (call) => ok(apiChannel(channelFor(world, call).channel)),
    },
    {
      ...base,
      method: "GET",
      path,
      many: true,
      bucket: bucket("list messages", 5, 1_000, "channel"),
      handle(call) {
        const { channel, permissions } = channelFor(world, call);
        const limit = Number(call.query.get("limit") ?? 50);
        const newest = [...channel.messages.values()].reverse().slice(0, limit);
        return ok(mayRead(permissions) ? newest.map(({ api }) => api) : []);
      },
    },
    {
      ...base,
      method: "POST",
      path,
      request: "MessageCreateRequest",
      bucket: bucket("create message", 5, 5_000, "channel"),
      handle(call) {
        const { channel, permissions } = channelFor(world, call);
        return ok(post(world, call, channel, permissions, baseUrl()).api);
      },
    },
    {
      ...base,
      method: "GET",
      path: `${path}/:message`,
      bucket: bucket("get message", 30, 1_000, "channel"),
      handle(call) {
        const { channel, permissions } = channelFor(world, call);
        return mayRead(permissions) ? ok(find(channel, call).api) : missingPermissions();
      },
    },
    {
      ...base,
      method: "PATCH",
      path: `${path}/:message`,
      request: "MessageEditRequestPartial",
      bucket: bucket("edit message", 5, 5_000, "channel"),
      handle(call) {
        const record = find(channelFor(world, call).channel, call);
        if (record.api.author.id !== call.application.id) {
          return refuse(403, 50005, "Cannot edit a message authored by another user");
        }
        const payload = { uploads: call.uploads, baseUrl: baseUrl() };
        compose(world, record, call.body as MessageBody, { edit: true, ...payload });
        edited(world, record);
        return ok(record.api);
      },
    },
    {
      method: "DELETE",
      path: `${path}/:message`,
      authenticated: true,
      bucket: bucket("delete message", 5, 1_000, "channel"),
      handle(call) {
        const { channel, permissions } = channelFor(world, call);
        const record = find(channel, call);
        const own = record.api.author.id === call.application.id;
        if (!own && !allowed(permissions, Permission.ManageMessages)) return missingPermissions();
        removeMessage(world, record);
        return nothing;
      },
    },
  ];
}

/** Posts a message, or answers with the one that carried the same enforced nonce. */
function post(
  world: World,
  call: Call,
  channel: ChannelRecord,
  permissions: bigint,
  baseUrl: string,
): MessageRecord {
  const body = call.body as MessageBody;
  if (!allowed(permissions, Permission.SendMessages)) return missingPermissions();
  if ((body.embeds ?? []).length > 0 && !allowed(permissions, Permission.EmbedLinks))
    return missingPermissions();
  if (call.uploads.length > 0 && !allowed(permissions, Permission.AttachFiles)) return missingPermissions();
  const now = world.clock.nowMs();
  const key = `${call.application.id} ${body.nonce}`;
  const earlier = channel.nonces.get(key);
  if (body.enforce_nonce === true && earlier !== undefined && now - earlier.atMs < nonceLifeMs) {
    const same = channel.messages.get(earlier.messageId);
    if (same !== undefined) return same;
  }
  const api = blankMessage(world, channel.id, call.application.id);
  const record = newMessage(api, { applicationId: call.application.id });
  const flags = (body.flags ?? 0) & ~MessageFlags.Ephemeral;
  compose(world, record, { ...body, flags }, { edit: false, uploads: call.uploads, baseUrl });
  if (body.nonce !== undefined && body.nonce !== null) {
    record.api.nonce = body.nonce;
    channel.nonces.set(key, { messageId: record.api.id, atMs: now });
  }
  publish(world, record);
  return record;
}
