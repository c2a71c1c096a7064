import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { Database, ExternalDatabase } from "./database.ts";
import type { GuildSettings } from "./settings.ts";

const secretsDir = "/var/run/secrets/dkp";
const user = 65_532;

type EnvironmentEntry = { name: string; value?: string; valueFrom?: unknown };

/** Variables as container entries; what is undefined is left out. */
export function environment(variables: Record<string, string | undefined>): EnvironmentEntry[] {
  return Object.entries(variables).flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
}

/** How a pod reaches the guild's database over TLS that it verifies; the credentials are files. */
export function databaseEnvironment(database: Database, host: string): Record<string, string | undefined> {
  if (database.mode === "external") {
    // The bot trusts the ca.crt that lies beside it, if one does.
    return { DATABASE_URL_FILE: `${secretsDir}/database/url` };
  }
  return {
    DATABASE_HOST: host,
    DATABASE_PORT: "5432",
    DATABASE_NAME: database.name,
    DATABASE_USER_FILE: `${secretsDir}/database/username`,
    DATABASE_PASSWORD_FILE: `${secretsDir}/database/password`,
    DATABASE_SSL_MODE: "verify-full",
    DATABASE_CA_FILE: `${secretsDir}/database-ca/ca.crt`,
  };
}

/** What every container of ours says about logs and telemetry. */
export function commonEnvironment(
  guild: DkpGuild,
  settings: GuildSettings,
): Record<string, string | undefined> {
  return {
    ENVIRONMENT: "production",
    LOG_LEVEL: guild.spec.bot.logLevel,
    LOG_FORMAT: guild.spec.bot.logFormat,
    OTEL_EXPORTER_OTLP_ENDPOINT: settings.otlpEndpoint,
  };
}

type Item = { key: string; path: string };

/** A volume of some keys of a Secret and where it is mounted; what is optional keeps no pod from starting while it is missing. */
function secretVolume(name: string, secretName: string, items: Item[], isOptional = false) {
  const optional = isOptional ? { optional: true } : {};
  return {
    volume: { name, secret: { secretName, defaultMode: 0o440, items, ...optional } },
    mount: { name, mountPath: `${secretsDir}/${name}`, readOnly: true },
  };
}

/** How a pod reaches Discord as the guild's bot; the token is a file. */
export function discordEnvironment(
  guild: DkpGuild,
  settings: GuildSettings,
): Record<string, string | undefined> {
  return {
    DISCORD_GUILD_ID: guild.spec.guildId,
    DISCORD_API_URL: settings.discordApiUrl,
    DISCORD_TOKEN_FILE: `${secretsDir}/discord/token`,
  };
}

/** The Discord token, if the guild has one of its own. */
export function discordVolumes(guild: DkpGuild, isOptional = false) {
  const { tokenSecretRef } = guild.spec.discord;
  if (tokenSecretRef === undefined) return [];
  const items = [{ key: tokenSecretRef.key, path: "token" }];
  return [secretVolume("discord", tokenSecretRef.name, items, isOptional)];
}

/**
 * The credentials of a role and the certificate of the database's authority; never that authority's key, which lies in the same Secret. Of an
 * external database the connection string and, where it is there, the authority beside it.
 */
export function databaseVolumes(database: Database, as: "owner" | "runtime") {
  if (database.mode === "external") {
    return [externalVolume(database)];
  }
  return [
    secretVolume("database", as === "owner" ? database.ownerSecret : database.runtimeSecret, [
      { key: "username", path: "username" },
      { key: "password", path: "password" },
    ]),
    secretVolume("database-ca", database.authoritySecret, [{ key: "ca.crt", path: "ca.crt" }]),
  ];
}

// A projected volume: only there may one key of a Secret be optional and another not.
function externalVolume({ secret, key }: ExternalDatabase) {
  const sources = [
    { secret: { name: secret, items: [{ key, path: "url" }] } },
    { secret: { name: secret, items: [{ key: "ca.crt", path: "ca.crt" }], optional: true } },
  ];
  return {
    volume: { name: "database", projected: { defaultMode: 0o440, sources } },
    mount: { name: "database", mountPath: `${secretsDir}/database`, readOnly: true },
  };
}

/** Pods pass the Pod Security standard "restricted". */
export const podSecurityContext = {
  runAsNonRoot: true,
  runAsUser: user,
  runAsGroup: user,
  fsGroup: user,
  seccompProfile: { type: "RuntimeDefault" },
};

export const containerSecurityContext = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
};

type Amounts = { cpu?: string; memory?: string };

const tiers: Record<DkpGuild["spec"]["bot"]["size"], { requests: Amounts; limits: Amounts }> = {
  small: { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "256Mi" } },
  standard: { requests: { cpu: "100m", memory: "192Mi" }, limits: { memory: "384Mi" } },
  large: { requests: { cpu: "250m", memory: "384Mi" }, limits: { memory: "768Mi" } },
};

/** CPU and memory of a bot container: those of its size, and what spec sets instead. */
export function resources(guild: DkpGuild) {
  const { size, resources: own } = guild.spec.bot;
  const { requests, limits } = tiers[size];
  return { requests: { ...requests, ...own?.requests }, limits: { ...limits, ...own?.limits } };
}

/** The image that a guild's spec asks for. */
export function wantedImage(guild: DkpGuild, settings: GuildSettings): string {
  const { image, channel } = guild.spec.bot;
  return image ?? (channel === "canary" ? settings.botImageCanary : settings.botImage);
}
