import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { databaseOf } from "../../operator/guild/database.ts";
import {
  botNetworkPolicy,
  databaseNetworkPolicy,
  poolerNetworkPolicy,
} from "../../operator/guild/network-policy.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { type Flow, type Party, isAllowed } from "./flows.ts";
import { liveGuild } from "./guild.ts";

const settings = {
  botImage: "dkp-bot:1",
  botImageCanary: "dkp-bot:1",
  postgresImage: "postgresql:16.6",
  monitoringNamespace: "observability",
  discordApiUrl: "http://discord.dkp-system:8088",
  otlpEndpoint: "http://otel-collector.observability.svc:4318",
};

const guildOf = (name: string, namespace: string, guildId: string, database: object = {}) =>
  liveGuild({ name, namespace }, { guildId, database });

// Two guilds in one namespace, where only policies keep them apart, and one in another.
const guilds = [
  guildOf("night", "raids", "100000000000000001"),
  guildOf("day", "raids", "100000000000000002"),
  guildOf("dawn", "elsewhere", "100000000000000003"),
  guildOf("dusk", "elsewhere", "100000000000000004", { mode: "shared", clusterRef: { name: "common" } }),
  guildOf("noon", "elsewhere", "100000000000000005", { mode: "external", secretRef: { name: "server" } }),
];
function policiesOf(guild: DkpGuild): KubeObject[] {
  const database = databaseOf(guild, new Map());
  const bots = botNetworkPolicy(guild, settings, database).object;
  if (database.mode !== "dedicated") return [bots];
  return [
    bots,
    databaseNetworkPolicy(guild, settings, database).object,
    poolerNetworkPolicy(guild, settings, database).object,
  ];
}

const shipped = new URL("../../config/operator/network-policy.yaml", import.meta.url);
const policies = [...guilds.flatMap(policiesOf), parse(readFileSync(shipped, "utf8")) as KubeObject];

const pod = (namespace: string, labels: Record<string, string>): Party => ({ namespace, labels });
const bot = (name: string, namespace = "raids", component = "bot") =>
  pod(namespace, {
    "app.kubernetes.io/name": "dkp-bot",
    "app.kubernetes.io/instance": name,
    "app.kubernetes.io/component": component,
  });
/** Setup and migration share a pod. */
const setup = (name: string) => bot(name, "raids", "migrate");
const instance = (name: string, namespace = "raids") => pod(namespace, { "cnpg.io/cluster": `${name}-db` });
const pooler = (name: string) => pod("raids", { "dkp.dev/pooler": `${name}-db` });
const common = pod("elsewhere", { "cnpg.io/cluster": "common" });
const cnpg = pod("cnpg-system", { "app.kubernetes.io/name": "cloudnative-pg" });
const prometheus = pod("observability", { "app.kubernetes.io/name": "prometheus" });
const collector = pod("observability", { "app.kubernetes.io/name": "otel-collector" });
const dns = pod("kube-system", { "k8s-app": "kube-dns" });
const standIn = pod("dkp-system", { app: "discord" });
const stranger = pod("raids", { app: "stranger" });
const operator = pod("dkp-system", { "app.kubernetes.io/name": "dkp-operator" });
const outside: Party = "outside";

describe("a connection is let through", () => {
  test.each<[string, Flow]>([
    ["from a bot to its database", { from: bot("night"), to: instance("night"), port: 5432 }],
    [
      "from a migration to its database",
      { from: bot("night", "raids", "migrate"), to: instance("night"), port: 5432 },
    ],
    ["from a bot to DNS", { from: bot("night"), to: dns, port: 53, protocol: "UDP" }],
    ["from a bot to DNS by TCP", { from: bot("night"), to: dns, port: 53 }],
    ["from a bot to Discord", { from: bot("night"), to: outside, port: 443 }],
    ["from a setup to DNS", { from: setup("night"), to: dns, port: 53, protocol: "UDP" }],
    ["from a setup to Discord", { from: setup("night"), to: outside, port: 443 }],
    ["from a setup to what stands in for Discord", { from: setup("night"), to: standIn, port: 8088 }],
    ["from a bot to the API server behind its Service", { from: bot("night"), to: outside, port: 6443 }],
    ["from a bot to the collector", { from: bot("night"), to: collector, port: 4318 }],
    ["from a bot to its Pooler", { from: bot("night"), to: pooler("night"), port: 5432 }],
    ["from a Pooler to its database", { from: pooler("night"), to: instance("night"), port: 5432 }],
    [
      "from a bot to its database in a shared Cluster",
      { from: bot("dusk", "elsewhere"), to: common, port: 5432 },
    ],
    ["from a bot to its external database", { from: bot("noon", "elsewhere"), to: outside, port: 5432 }],
    ["from Prometheus to a bot", { from: prometheus, to: bot("night"), port: 8080 }],
    ["from Prometheus to a database's metrics", { from: prometheus, to: instance("night"), port: 9187 }],
    ["between a database's instances", { from: instance("night"), to: instance("night"), port: 5432 }],
    ["between their managers", { from: instance("night"), to: instance("night"), port: 8000 }],
    ["from CloudNativePG to an instance's manager", { from: cnpg, to: instance("night"), port: 8000 }],
    ["from CloudNativePG to PostgreSQL", { from: cnpg, to: instance("night"), port: 5432 }],
    ["from a database to DNS", { from: instance("night"), to: dns, port: 53, protocol: "UDP" }],
    ["from a database to the API server", { from: instance("night"), to: outside, port: 6443 }],
    ["from a database to an object store", { from: instance("night"), to: outside, port: 443 }],
    ["from the operator to DNS", { from: operator, to: dns, port: 53, protocol: "UDP" }],
    ["from the operator to the API server", { from: operator, to: outside, port: 6443 }],
    ["from the operator to the collector", { from: operator, to: collector, port: 4318 }],
    ["from Prometheus to the operator", { from: prometheus, to: operator, port: 8080 }],
    ["from anybody inside to the assignments", { from: stranger, to: operator, port: 3001 }],
  ])("%s", (_, flow) => {
    expect(isAllowed(policies, flow)).toBe(true);
  });
});

describe("a connection is refused", () => {
  test.each<[string, Flow]>([
    ["from a bot to another guild's database", { from: bot("night"), to: instance("day"), port: 5432 }],
    [
      "from a bot to another namespace's database",
      { from: bot("night"), to: instance("dawn", "elsewhere"), port: 5432 },
    ],
    ["from a bot to another guild's Pooler", { from: bot("night"), to: pooler("day"), port: 5432 }],
    ["from a Pooler to another guild's database", { from: pooler("night"), to: instance("day"), port: 5432 }],
    [
      "from a bot with a database of its own to a shared Cluster",
      { from: bot("dawn", "elsewhere"), to: common, port: 5432 },
    ],
    ["from a stranger to a Pooler", { from: stranger, to: pooler("night"), port: 5432 }],
    ["from a bot to another bot", { from: bot("night"), to: bot("day"), port: 8080 }],
    ["from a bot to its database's manager", { from: bot("night"), to: instance("night"), port: 8000 }],
    ["from a bot to a mail server", { from: bot("night"), to: outside, port: 25 }],
    ["from a setup to a mail server", { from: setup("night"), to: outside, port: 25 }],
    ["from a bot to a PostgreSQL outside", { from: bot("night"), to: outside, port: 5432 }],
    ["from a stranger to a database", { from: stranger, to: instance("night"), port: 5432 }],
    ["from a stranger to a database's manager", { from: stranger, to: instance("night"), port: 8000 }],
    ["from a stranger to a database's metrics", { from: stranger, to: instance("night"), port: 9187 }],
    ["from a stranger to a bot", { from: stranger, to: bot("night"), port: 8080 }],
    ["from Prometheus to PostgreSQL", { from: prometheus, to: instance("night"), port: 5432 }],
    ["from one guild's database to another's", { from: instance("night"), to: instance("day"), port: 5432 }],
    ["from a database to a bot", { from: instance("night"), to: bot("night"), port: 8080 }],
    ["from a database to a mail server", { from: instance("night"), to: outside, port: 25 }],
    ["from a stranger to the operator's metrics", { from: stranger, to: operator, port: 8080 }],
    ["from the operator to a database", { from: operator, to: instance("night"), port: 5432 }],
    ["from the operator to a mail server", { from: operator, to: outside, port: 25 }],
  ])("%s", (_, flow) => {
    expect(isAllowed(policies, flow)).toBe(false);
  });
});
