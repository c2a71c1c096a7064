import { refreshLimit } from "./identify.ts";
import {
  apiApplication,
  apiChannel,
  apiGuild,
  apiMember,
  apiRole,
  apiUser,
  memberPermissions,
} from "./objects.ts";
import type { Bucket } from "./rate-limits.ts";
import { missingAccess, unknown } from "./refusal.ts";
import { bucket, ok, type Call, type Route, type RouteContext } from "./route.ts";
import type { SchemaName } from "./schema.ts";
import type { ApplicationRecord, GuildRecord } from "./world.ts";

function reading(path: string, limit: Bucket, response: SchemaName, handle: Route["handle"]): Route {
  return { method: "GET", path, authenticated: true, bucket: limit, response, handle };
}

function perGuild(path: string, response: SchemaName, handle: Route["handle"]): Route {
  return reading(path, bucket(`GET ${path}`, 30, 1_000, "guild"), response, handle);
}

/** Who the bot is, and how it reaches the gateway. */
export function identityRoutes({ world, gatewayUrl }: RouteContext): Route[] {
  const mine = bucket("identity", 30, 10_000);
  const describe = (application: ApplicationRecord) => {
    const owner = [...world.guilds.values()][0]?.ownerId ?? application.id;
    return ok(apiApplication(world, application, owner));
  };
  const read = (path: string, response: SchemaName, handle: Route["handle"]) =>
    reading(path, mine, response, handle);
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

/** Guilds, roles and members, as far as the bot sees them. */
export function guildRoutes({ world }: RouteContext): Route[] {
  const guildOf = ({ application, parameters }: Call): GuildRecord => {
    const guild = world.guilds.get(parameters["guild"] ?? "");
    if (guild === undefined) return unknown.guild();
    return guild.applications.has(application.id) ? guild : missingAccess();
  };
  return [
    perGuild("/guilds/:guild", "GuildWithCountsResponse", (call) => {
      const guild = guildOf(call);
      const counts = { approximate_member_count: guild.members.size, approximate_presence_count: 0 };
      return ok({ ...apiGuild(guild), ...(call.query.get("with_counts") === "true" ? counts : {}) });
    }),
    {
      ...perGuild("/guilds/:guild/channels", "GuildChannelResponse", (call) =>
        ok([...guildOf(call).channels.values()].map(apiChannel)),
      ),
      many: true,
    },
    {
      ...perGuild("/guilds/:guild/roles", "GuildRoleResponse", (call) =>
        ok([...guildOf(call).roles.values()].map(apiRole)),
      ),
      many: true,
    },
    perGuild("/guilds/:guild/roles/:role", "GuildRoleResponse", (call) => {
      const role = guildOf(call).roles.get(call.parameters["role"] ?? "");
      return role === undefined ? unknown.role() : ok(apiRole(role));
    }),
    {
      ...perGuild("/guilds/:guild/members", "GuildMemberResponse", (call) => {
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
    perGuild("/guilds/:guild/members/:user", "GuildMemberResponse", (call) => {
      const guild = guildOf(call);
      const asked = call.parameters["user"] ?? "";
      const member = guild.members.get(asked === "@me" ? call.application.id : asked);
      if (member === undefined) return world.users.has(asked) ? unknown.member() : unknown.user();
      const own = asked === "@me" ? { permissions: memberPermissions(guild, member) } : {};
      return ok({ ...apiMember(world, member), ...own });
    }),
  ];
}
