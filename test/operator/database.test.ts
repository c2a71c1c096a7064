import { describe, expect, test } from "vitest";
import { childKey } from "../../operator/guild/child.ts";
import { databaseOf } from "../../operator/guild/database.ts";
import { instanceResources, pooledShare, postgresParameters } from "../../operator/guild/database-size.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { liveGuild } from "./guild.ts";

type Fields = { bot?: object; database?: object };

const guildWith = (fields: Fields) => liveGuild({}, fields);

describe("the connections that PostgreSQL allows", () => {
  test.each<[string, Fields, string]>([
    ["two pods and one more in a rollout, 23 each", {}, "200"],
    ["three", { bot: { replicas: 3 } }, "200"],
    ["six", { bot: { replicas: 6 } }, "200"],
    ["seven", { bot: { replicas: 7 } }, "300"],
    ["none", { bot: { replicas: 0 } }, "200"],
    ["smaller pools", { bot: { replicas: 7, env: [{ name: "DATABASE_POOL_MAX", value: "5" }] } }, "200"],
    ["larger pools", { bot: { env: [{ name: "DATABASE_POOL_MAX", value: "60" }] } }, "300"],
    ["only those of the Poolers", { bot: { replicas: 10 }, database: { pooler: { instances: 5 } } }, "200"],
    ["many Poolers", { database: { pooler: { instances: 5, poolSize: 100 } } }, "600"],
  ])("suffice for %s", (_, fields, allowed) => {
    expect(postgresParameters(guildWith(fields))).toMatchObject({ max_connections: allowed });
  });
});

describe("a pod's pool behind a Pooler", () => {
  test.each<[string, Fields, number | undefined]>([
    ["its own size without one", {}, undefined],
    [
      "its own size where that is said",
      { bot: { env: [{ name: "DATABASE_POOL_MAX", value: "7" }] } },
      undefined,
    ],
    ["an equal share, less what it needs besides", { database: { pooler: {} } }, 10],
    ["five at the least that the schema lets in", { bot: { replicas: 4 }, database: { pooler: {} } }, 5],
    ["twenty at the most", { database: { pooler: { instances: 5, poolSize: 100 } } }, 20],
  ])("has %s", (_, fields, size) => {
    expect(pooledShare(guildWith(fields))).toBe(size);
  });
});

describe("an instance of PostgreSQL", () => {
  const small = { requests: { cpu: "100m", memory: "256Mi" }, limits: { memory: "512Mi" } };
  test.each<[string, object, object]>([
    ["small by default", {}, small],
    ["standard", { size: "standard" }, { requests: { cpu: "1", memory: "2Gi" }, limits: { memory: "2Gi" } }],
    ["large", { size: "large" }, { requests: { cpu: "2", memory: "4Gi" }, limits: { memory: "4Gi" } }],
    [
      "small but for what is said",
      { resources: { requests: { cpu: "1" } } },
      { ...small, requests: { cpu: "1", memory: "256Mi" } },
    ],
  ])("is %s", (_, database, resources) => {
    expect(instanceResources(guildWith({ database }))).toEqual(resources);
  });

  test("has settings that fit its size, and those that are said instead", () => {
    const database = { size: "large", parameters: { work_mem: "64MB", archive_timeout: "1min" } };
    expect(postgresParameters(guildWith({ database }))).toEqual({
      shared_buffers: "1GB",
      effective_cache_size: "3GB",
      work_mem: "64MB",
      archive_timeout: "1min",
      max_connections: "200",
    });
  });
});

describe("the Cluster that serves", () => {
  type Told = { restored?: number; serving?: boolean };
  const cluster = (name: string, { restored, serving = false }: Told = {}): KubeObject => ({
    apiVersion: "postgresql.cnpg.io/v1",
    kind: "Cluster",
    metadata: {
      name,
      ...(restored === undefined ? {} : { labels: { "dkp.dev/incarnation": String(restored) } }),
      ...(serving ? { annotations: { "dkp.dev/serving": "true" } } : {}),
    },
  });
  test.each<[string, KubeObject[], string]>([
    ["is the first before there is any", [], "watch-db"],
    [
      "is the first while a restored one is being made",
      [cluster("watch-db"), cluster("watch-db-1", { restored: 1 })],
      "watch-db",
    ],
    [
      "is the latest that the bot was moved to, as a number",
      [
        cluster("watch-db"),
        cluster("watch-db-2", { restored: 2, serving: true }),
        cluster("watch-db-10", { restored: 10, serving: true }),
        cluster("watch-db-11", { restored: 11 }),
      ],
      "watch-db-10",
    ],
  ])("%s", (_, clusters, name) => {
    const children = new Map(clusters.map((object) => [childKey(object), object]));
    expect(databaseOf(guildWith({ database: { pooler: {} } }), children)).toMatchObject({
      cluster: name,
      host: `${name}-rw.space.svc`,
      readOnlyHost: `${name}-ro.space.svc`,
      botHost: `${name}-pooler.space.svc`,
      ownerSecret: `${name}-app`,
      authoritySecret: `${name}-ca`,
    });
  });

  test("has no standbys to read from when it is alone", () => {
    expect(databaseOf(guildWith({ database: { instances: 1 } }), new Map())).toMatchObject({
      readOnlyHost: undefined,
      botHost: "watch-db-rw.space.svc",
    });
  });
});
