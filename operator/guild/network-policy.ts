import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { wantedBackup } from "./backup.ts";
import { type Child, child } from "./child.ts";
import { type Database, type ManagedDatabase, poolerName } from "./database.ts";
import { childNames, podSelector } from "./names.ts";
import { networkPolicies } from "./resources.ts";
import { httpPort } from "./headless-service.ts";
import type { GuildSettings } from "./settings.ts";

type Port = { protocol: "TCP" | "UDP"; port: number };

const tcp = (...ports: number[]): Port[] => ports.map((port) => ({ protocol: "TCP", port }));
const dns = { ports: [{ protocol: "UDP", port: 53 }, ...tcp(53)] };
// 6443 is where the API server's own address leads after translation of the Service's 443.
const apiServer = { ports: tcp(443, 6443) };
const anyNamespace = { namespaceSelector: {} };
const namespaceNamed = (name: string) => ({
  namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": name } },
});
const postgres = 5432;
const instanceStatus = 8000;
const postgresMetrics = 9187;
const poolerMetrics = 9127;

/** Ports of URLs that bots are told to call, beside 443. */
function portsOf(urls: (string | undefined)[]): Port[] {
  const ports = urls
    .filter((url) => url !== undefined)
    .map((url) => new URL(url))
    .map(({ port, protocol }) => (port === "" ? (protocol === "http:" ? 80 : 443) : Number(port)))
    .filter((port) => port !== 443);
  return tcp(...new Set(ports));
}

/** Bot and migration pods: in for health and metrics; out for DNS, Discord, the API server, the collector and their own database. */
export function botNetworkPolicy(guild: DkpGuild, settings: GuildSettings, database: Database): Child {
  const { name } = guild.metadata;
  const { bot } = childNames(name);
  const configured = portsOf([settings.discordApiUrl, settings.otlpEndpoint]);
  return child(
    guild,
    networkPolicies,
    { name: bot, owned: true },
    {
      spec: {
        podSelector: {
          matchLabels: podSelector(name),
        },
        policyTypes: ["Ingress", "Egress"],
        ingress: [{ from: [namespaceNamed(settings.monitoringNamespace)], ports: tcp(httpPort) }],
        egress: [
          dns,
          apiServer,
          ...toDatabase(database),
          ...(configured.length === 0 ? [] : [{ ports: configured }]),
        ],
      },
    },
  );
}

/** An external server may be anywhere, and its port is in a Secret that is not read: PostgreSQL's own, and PgBouncer's. */
function toDatabase(database: Database): object[] {
  if (database.mode === "external") return [{ ports: tcp(postgres, 6432) }];
  const instances = { podSelector: { matchLabels: { "cnpg.io/cluster": database.cluster } } };
  return [{ to: [instances, poolerPods(database.cluster)], ports: tcp(postgres) }];
}

const poolerPods = (cluster: string) => ({ podSelector: { matchLabels: { "dkp.dev/pooler": cluster } } });

/** A Pooler's pods: in from the guild's bots and for metrics; out for DNS, the API server and the database. */
export function poolerNetworkPolicy(
  guild: DkpGuild,
  settings: GuildSettings,
  { cluster }: ManagedDatabase,
): Child {
  const bots = {
    podSelector: {
      matchLabels: podSelector(guild.metadata.name),
    },
  };
  const instances = { podSelector: { matchLabels: { "cnpg.io/cluster": cluster } } };
  const facts = { name: poolerName(cluster), owned: true };
  return child(guild, networkPolicies, facts, {
    spec: {
      podSelector: poolerPods(cluster).podSelector,
      policyTypes: ["Ingress", "Egress"],
      ingress: [
        { from: [bots], ports: tcp(postgres) },
        { from: [namespaceNamed(settings.monitoringNamespace)], ports: tcp(poolerMetrics) },
      ],
      egress: [dns, apiServer, { to: [instances], ports: tcp(postgres) }],
    },
  });
}

/**
 * Database pods: in from the guild's bots, each other and CloudNativePG's operator, and for metrics; out for DNS, the API server, object
 * storage and each other. Not owned, so that a database that is kept stays as closed as it was.
 */
export function databaseNetworkPolicy(
  guild: DkpGuild,
  settings: GuildSettings,
  { cluster }: ManagedDatabase,
): Child {
  const { name } = guild.metadata;
  const stores = portsOf([wantedBackup(guild)?.objectStore.endpoint]);
  const each = { podSelector: { matchLabels: { "cnpg.io/cluster": cluster } } };
  const bots = {
    podSelector: { matchLabels: podSelector(name) },
  };
  const cnpgOperator = {
    ...anyNamespace,
    podSelector: { matchLabels: { "app.kubernetes.io/name": "cloudnative-pg" } },
  };
  return child(
    guild,
    networkPolicies,
    { name: cluster, owned: false },
    {
      spec: {
        podSelector: { matchLabels: { "cnpg.io/cluster": cluster } },
        policyTypes: ["Ingress", "Egress"],
        ingress: [
          { from: [bots, poolerPods(cluster)], ports: tcp(postgres) },
          { from: [each, cnpgOperator], ports: tcp(postgres, instanceStatus) },
          { from: [namespaceNamed(settings.monitoringNamespace)], ports: tcp(postgresMetrics) },
        ],
        egress: [
          dns,
          apiServer,
          { to: [each], ports: tcp(postgres, instanceStatus) },
          ...(stores.length === 0 ? [] : [{ ports: stores }]),
        ],
      },
    },
  );
}
