import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { databaseName } from "./cluster.ts";
import { childNames } from "./names.ts";
import type { GuildSettings } from "./settings.ts";

const secretsDir = "/var/run/secrets/dkp";
const user = 65_532;

type EnvironmentEntry = { name: string; value?: string; valueFrom?: unknown };

/** Variables as container entries; what is undefined is left out. */
export function environment(variables: Record<string, string | undefined>): EnvironmentEntry[] {
  return Object.entries(variables).flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
}

/** How a pod reaches the guild's database over TLS that it verifies; the credentials are files. */
export function databaseEnvironment(guild: DkpGuild): Record<string, string> {
  const { name, namespace } = guild.metadata;
  return {
    DATABASE_HOST: `${childNames(name).cluster}-rw.${namespace}.svc`,
    DATABASE_PORT: "5432",
    DATABASE_NAME: databaseName,
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
    LOG_FORMAT: "json",
    OTEL_EXPORTER_OTLP_ENDPOINT: settings.otlpEndpoint,
  };
}

/** A volume of some keys of a Secret and where it is mounted. */
export function secretVolume(name: string, secretName: string, items: { key: string; path: string }[]) {
  return {
    volume: { name, secret: { secretName, defaultMode: 0o440, items } },
    mount: { name, mountPath: `${secretsDir}/${name}`, readOnly: true },
  };
}

/** The database's credentials and the certificate of its authority; never that authority's key, which lies in the same Secret. */
export function databaseVolumes(guild: DkpGuild, credentials: string) {
  const { authoritySecret } = childNames(guild.metadata.name);
  return [
    secretVolume("database", credentials, [
      { key: "username", path: "username" },
      { key: "password", path: "password" },
    ]),
    secretVolume("database-ca", authoritySecret, [{ key: "ca.crt", path: "ca.crt" }]),
  ];
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

/** CPU and memory of a bot container. */
export function resources(guild: DkpGuild) {
  const { requests, limits } = guild.spec.bot.resources ?? {};
  return {
    requests: { cpu: "50m", memory: "128Mi", ...requests },
    limits: { memory: "256Mi", ...limits },
  };
}

/** The image that a guild's spec asks for. */
export function wantedImage(guild: DkpGuild, settings: GuildSettings): string {
  const { image, channel } = guild.spec.bot;
  return image ?? (channel === "canary" ? settings.botImageCanary : settings.botImage);
}
