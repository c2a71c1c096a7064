import { MessageFlags, PermissionFlagsBits as Permission } from "discord-api-types/v10";
import {
  commandGuild,
  createCommand,
  deleteCommand,
  listCommands,
  overwriteCommands,
  type CommandBody,
} from "./commands.ts";
import { refreshLimit } from "./gateway.ts";
import type { Callback, Interactions, Payload } from "./interactions.ts";
import { compose, edited, publish, removeMessage, type MessageBody, type Upload } from "./messages.ts";
import {
  apiApplication,
  apiChannel,
  apiGuild,
  apiMember,
  apiRole,
  apiUser,
  blankMessage,
  memberPermissions,
  newMessage,
} from "./objects.ts";
import { allowed, channelPermissions } from "./permissions.ts";
import type { Bucket } from "./rate-limits.ts";
import { missingAccess, missingPermissions, refuse, unknown, type Answer } from "./refusal.ts";
import type { SchemaName } from "./schema.ts";
import type { ApplicationRecord, ChannelRecord, GuildRecord, MessageRecord, World } from "./world.ts";

export type Call = {
  /** Who calls; a made-up nobody for routes that need no token. */
  application: ApplicationRecord;
  parameters: Record<string, string>;
  query: URLSearchParams;
  body: unknown;
  uploads: Upload[];
};

export type Route = {
  method: string;
  /** Path below /api/v10, with parameters as `:name`. */
  path: string;
  /** Whether the caller proves itself by its bot token; otherwise the path holds a token of its own. */
  authenticated: boolean;
  bucket: Bucket | null;
  /** Schema of the body, or of each element of a body that is a list. */
  request?: SchemaName | ((body: unknown) => SchemaName);
  /** Schema of the answer with status 200 or 201. */
  response?: SchemaName;
  many?: boolean;
  handle(call: Call): Answer;
};

type Context = {
  world: World;
  interactions: Interactions;
  gatewayUrl: () => string;
  baseUrl: () => string;
};

const ok = (body: unknown): Answer => ({ status: 200, body });
const nothing: Answer = { status: 204 };
const nonceLifeMs = 5 * 60_000;

function bucket(name: string, limit: number, windowMs: number, ...by: string[]): Bucket {
  return { name, limit, windowMs, by };
}

/** Everything that the stand-in answers below /api/v10. */
export function routes(context: Context): Route[] {
  return [
    ...identityRoutes(context),
    ...guildRoutes(context),
    ...commandRoutes(context),
    ...channelRoutes(context),
    ...callbackRoutes(context),
    ...webhookRoutes(context),
  ];
}

function identityRoutes({ world, gatewayUrl }: Context): Route[] {
  const mine = bucket("identity", 30, 10_000);
  const describe = (application: ApplicationRecord) => {
    const owner = [...world.guilds.values()][0]?.ownerId ?? application.id;
    return ok(apiApplication(world, application, owner));
  };
  const read = (path: string, response: SchemaName, handle: Route["handle"]): Route => ({
    method: "GET",
    path,
    authenticated: true,
    bucket: mine,
    response,
    handle,
  });
  return [
    read("/gateway", "GatewayResponse", () => ok({ url: gatewayUrl() })),
    read("/gateway/bot", "GatewayBotResponse", ({ application }) => {
      const limit = refreshLimit(world, application);
      return ok({
        url: gatewayUrl(),
        shards: 1,
        session_start_limit: {
          total: limit.total,
          remaining: Math.max(0, limit.remaining),
          reset_after: Math.max(0, Math.round(limit.resetAtMs - world.clock.nowMs())),
          max_concurrency: limit.maxConcurrency,
        },
      });
    }),
    read("/applications/@me", "PrivateApplicationResponse", ({ application }) => describe(application)),
    read("/oauth2/applications/@me", "PrivateApplicationResponse", ({ application }) =>
      describe(application),
    ),
    read("/users/@me", "UserPIIResponse", ({ application }) =>
      ok({
        ...apiUser(world, application.id),
        mfa_enabled: true,
        locale: "en-US",
        verified: true,
        email: null,
      }),
    ),
    read("/users/:user", "UserResponse", ({ parameters }) => {
      const user = world.users.get(parameters["user"] ?? "");
      return user === undefined ? unknown.user() : ok(apiUser(world, user.id));
    }),
  ];
}

function guildRoutes({ world }: Context): Route[] {
  const guildOf = ({ application, parameters }: Call): GuildRecord => {
    const guild = world.guilds.get(parameters["guild"] ?? "");
    if (guild === undefined) return unknown.guild();
    return guild.applications.has(application.id) ? guild : missingAccess();
  };
  const read = (path: string, response: SchemaName, handle: Route["handle"]): Route => ({
    method: "GET",
    path,
    authenticated: true,
    bucket: bucket(`GET ${path}`, 30, 1_000, "guild"),
    response,
    handle,
  });
  return [
    read("/guilds/:guild", "GuildWithCountsResponse", (call) => {
      const guild = guildOf(call);
      const counts = { approximate_member_count: guild.members.size, approximate_presence_count: 0 };
      return ok({ ...apiGuild(guild), ...(call.query.get("with_counts") === "true" ? counts : {}) });
    }),
    {
      ...read("/guilds/:guild/channels", "GuildChannelResponse", (call) =>
        ok([...guildOf(call).channels.values()].map(apiChannel)),
      ),
      many: true,
    },
    {
      ...read("/guilds/:guild/roles", "GuildRoleResponse", (call) =>
        ok([...guildOf(call).roles.values()].map(apiRole)),
      ),
      many: true,
    },
    read("/guilds/:guild/roles/:role", "GuildRoleResponse", (call) => {
      const role = guildOf(call).roles.get(call.parameters["role"] ?? "");
      return role === undefined ? unknown.role() : ok(apiRole(role));
    }),
    {
      ...read("/guilds/:guild/members", "GuildMemberResponse", (call) => {
        const guild = guildOf(call);
        const guildMembers = 1 << 1;
        if ((call.application.privilegedIntents & guildMembers) === 0) return missingAccess();
        const limit = Number(call.query.get("limit") ?? 1);
        const after = BigInt(call.query.get("after") ?? 0);
        const sorted = [...guild.members.values()]
          .filter(({ userId }) => BigInt(userId) > after)
          .sort((a, b) => (BigInt(a.userId) < BigInt(b.userId) ? -1 : 1));
        return ok(sorted.slice(0, limit).map((member) => apiMember(world, member)));
      }),
      many: true,
    },
    read("/guilds/:guild/members/:user", "GuildMemberResponse", (call) => {
      const guild = guildOf(call);
      const asked = call.parameters["user"] ?? "";
      const member = guild.members.get(asked === "@me" ? call.application.id : asked);
      if (member === undefined) return world.users.has(asked) ? unknown.member() : unknown.user();
      const own = asked === "@me" ? { permissions: memberPermissions(guild, member) } : {};
      return ok({ ...apiMember(world, member), ...own });
    }),
  ];
}

function commandRoutes({ world }: Context): Route[] {
  const path = "/applications/:application/guilds/:guild/commands";
  const guildOf = ({ application, parameters }: Call) => {
    if (parameters["application"] !== application.id) {
      return refuse(403, 20012, "You are not authorized to perform this action on this application");
    }
    return commandGuild(world, application, parameters["guild"] ?? "");
  };
  const base = { path, authenticated: true, response: "ApplicationCommandResponse" };
  const writes = bucket("commands", 5, 20_000, "guild");
  return [
    {
      ...base,
      method: "GET",
      many: true,
      bucket: bucket("list commands", 5, 1_000, "guild"),
      handle: (call) => ok(listCommands(call.application, guildOf(call).id)),
    },
    {
      ...base,
      method: "PUT",
      many: true,
      bucket: writes,
      request: "ApplicationCommandUpdateRequest",
      handle: (call) =>
        ok(overwriteCommands(world, call.application, guildOf(call), call.body as CommandBody[])),
    },
    {
      ...base,
      method: "POST",
      bucket: writes,
      request: "ApplicationCommandCreateRequest",
      handle(call) {
        const { created, command } = createCommand(
          world,
          call.application,
          guildOf(call),
          call.body as CommandBody,
        );
        return { status: created ? 201 : 200, body: command };
      },
    },
    {
      ...base,
      method: "GET",
      path: `${path}/:command`,
      bucket: bucket("get command", 5, 1_000, "guild"),
      handle(call) {
        const found = listCommands(call.application, guildOf(call).id).find(
          ({ id }) => id === call.parameters["command"],
        );
        return found === undefined ? unknown.command() : ok(found);
      },
    },
    {
      method: "DELETE",
      path: `${path}/:command`,
      authenticated: true,
      bucket: writes,
      handle(call) {
        deleteCommand(call.application, guildOf(call).id, call.parameters["command"] ?? "");
        return nothing;
      },
    },
  ];
}

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

function channelRoutes({ world, baseUrl }: Context): Route[] {
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

const callbackSchemas: Record<number, SchemaName> = {
  1: "PongInteractionCallbackRequest",
  4: "CreateMessageInteractionCallbackRequest",
  5: "CreateMessageInteractionCallbackRequest",
  6: "UpdateMessageInteractionCallbackRequest",
  7: "UpdateMessageInteractionCallbackRequest",
  8: "ApplicationCommandAutocompleteCallbackRequest",
  9: "ModalInteractionCallbackRequest",
};

function callbackRoutes({ interactions, baseUrl }: Context): Route[] {
  return [
    {
      method: "POST",
      path: "/interactions/:interaction/:token/callback",
      authenticated: false,
      bucket: null,
      request: (body) => {
        const type = (body as { type?: unknown } | null)?.type;
        return callbackSchemas[Number(type)] ?? "CreateMessageInteractionCallbackRequest";
      },
      response: "InteractionCallbackResponse",
      handle(call) {
        const { interaction = "", token = "" } = call.parameters;
        const payload = { uploads: call.uploads, baseUrl: baseUrl() };
        const entry = interactions.callback(interaction, token, call.body as Callback, payload);
        if (call.query.get("with_response") !== "true") return nothing;
        const { record, original, type } = entry;
        const message = original === null ? {} : messageFacts(original);
        const shown = record.callback === 4 || record.callback === 7 ? original : null;
        return ok({
          interaction: {
            id: record.id,
            type,
            channel_id: record.channelId,
            guild_id: record.guildId,
            ...message,
          },
          ...(shown === null ? {} : { resource: { type: record.callback, message: shown.api } }),
        });
      },
    },
  ];
}

function messageFacts({ api, loading, onlyFor }: MessageRecord) {
  return {
    response_message_id: api.id,
    response_message_loading: loading,
    response_message_ephemeral: onlyFor !== null,
  };
}

function messageId({ parameters }: Call): string {
  return parameters["message"] ?? "";
}

function webhookRoutes({ interactions, baseUrl }: Context): Route[] {
  const path = "/webhooks/:webhook/:token";
  const base = {
    authenticated: false,
    response: "MessageResponse",
    bucket: bucket("interaction webhook", 5, 2_000, "webhook", "token"),
  };
  const entryOf = ({ parameters }: Call) =>
    interactions.byToken(parameters["webhook"] ?? "", parameters["token"] ?? "");
  const payload = ({ body, uploads }: Call): Payload => ({
    body: body as MessageBody,
    uploads,
    baseUrl: baseUrl(),
  });
  return [
    {
      ...base,
      method: "POST",
      path,
      request: "IncomingWebhookRequestPartial",
      // An interaction's follow-up answers with its message whether asked to wait or not.
      handle: (call) => ok(interactions.followup(entryOf(call), payload(call)).api),
    },
    {
      ...base,
      method: "GET",
      path: `${path}/messages/:message`,
      handle: (call) => ok(interactions.message(entryOf(call), messageId(call)).api),
    },
    {
      ...base,
      method: "PATCH",
      path: `${path}/messages/:message`,
      request: "IncomingWebhookUpdateRequestPartial",
      handle: (call) => ok(interactions.edit(entryOf(call), messageId(call), payload(call)).api),
    },
    {
      method: "DELETE",
      path: `${path}/messages/:message`,
      authenticated: false,
      bucket: base.bucket,
      handle(call) {
        interactions.remove(entryOf(call), messageId(call));
        return nothing;
      },
    },
  ];
}
