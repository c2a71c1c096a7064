import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import * as kinds from "../../operator/guild/resources.ts";
import type { Operator } from "../../operator/start.ts";
import type { KubeObject, Resource } from "../../runtime/kube/object.ts";
import { type Write, startRecorded } from "./clients.ts";
import {
  botReports,
  databaseReady,
  jobsEnd,
  makeGuild,
  makeToken,
  podsRun,
  sharedApplied,
} from "./players.ts";
import { type Scene, openScene } from "./scene.ts";
import { condition, failsFor, patience, reachesPhase, statusOf } from "./status.ts";

let scene: Scene;
let operator: Operator;
let writes: Write[];
let reads: string[];
let forbidden: string[];

async function start(): Promise<void> {
  ({ operator, writes, reads, forbidden } = await startRecorded(scene));
}

beforeAll(async () => {
  scene = await openScene({ cloudNativePg: false });
  await start();
});

afterAll(async () => {
  await operator?.stop();
  await scene?.stop();
});

const definition = (plural: string) =>
  `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${plural}.postgresql.cnpg.io`;

/** The Job runs and ends, the pods run, the bot reports. */
async function goesUp(namespace: string, name: string): Promise<void> {
  await vi.waitFor(async () => expect(await scene.list(kinds.jobs, namespace)).not.toEqual([]), patience);
  await jobsEnd(scene, namespace);
  await exists(kinds.deployments, namespace, `${name}-bot`);
  await podsRun(scene, namespace, name);
  await botReports(scene, namespace, name);
  await reachesPhase(scene, namespace, name, "Ready");
}

/** A change went through: the Deployment was rolled out if it changed, and the guild says so. */
async function settles(namespace: string, name: string): Promise<void> {
  const round = async () => {
    await jobsEnd(scene, namespace);
    await podsRun(scene, namespace, name);
    const { metadata } = (await scene.get(kinds.guilds, namespace, name)) ?? {};
    const status = await statusOf(scene, namespace, name);
    expect(status).toMatchObject({ phase: "Ready", observedGeneration: metadata?.generation });
  };
  await vi.waitFor(round, patience);
}

const exists = (resource: Resource, namespace: string, name: string) =>
  vi.waitFor(async () => expect(await scene.get(resource, namespace, name)).toBeDefined(), patience);
const isGone = (resource: Resource, namespace: string, name: string) =>
  vi.waitFor(async () => expect(await scene.get(resource, namespace, name)).toBeUndefined(), patience);

/** Nothing is sent while the operator looks at its guilds many times, nor after a restart. */
async function staysQuiet(): Promise<void> {
  const looks = async (since: number) => {
    const enough = reads.length + 8 * [...operator.world.guilds()].length;
    await vi.waitFor(() => expect(reads.length).toBeGreaterThanOrEqual(enough), patience);
    expect(writes.slice(since)).toEqual([]);
  };
  await looks(writes.length);
  await operator.stop();
  await start();
  await looks(0);
  expect(forbidden).toEqual([]);
}

type Container = { env: { name: string; value?: string }[]; resources: Record<string, object> };
type PodSpec = { initContainers?: Container[]; containers: Container[]; volumes: object[] };
type Pods = { template: { spec: PodSpec & Record<string, unknown> } };

const containersOf = ({ initContainers = [], containers }: PodSpec) => [...initContainers, ...containers];

async function podsOf(resource: Resource, namespace: string, name: string) {
  const { template } = (await scene.part(resource, namespace, name)) as Pods;
  const [container] = containersOf(template.spec);
  const env = Object.fromEntries((container?.env ?? []).map(({ name: key, value }) => [key, value]));
  return { spec: template.spec, env };
}

const botOf = (namespace: string, name: string) => podsOf(kinds.deployments, namespace, `${name}-bot`);

async function migrationOf(namespace: string) {
  const [job] = await scene.list(kinds.jobs, namespace);
  return podsOf(kinds.jobs, namespace, job?.metadata.name ?? "");
}

/** What a Secret holds, decoded. */
async function credentials(namespace: string, name: string): Promise<Record<string, string>> {
  const data = await scene.part(kinds.secrets, namespace, name, "data");
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(String(value), "base64").toString()]),
  );
}

describe("without CloudNativePG", () => {
  test("a guild with an external database comes up; its connection string is mounted and never copied", async () => {
    const namespace = await scene.namespace("external");
    await makeToken(scene, namespace);
    const database = { mode: "external", secretRef: { name: "elsewhere" } };
    await scene.create(kinds.guilds, namespace, makeGuild("watch", "810000000000000001", { database }));
    expect(await failsFor(scene, namespace, "watch", "Ready", "SecretMissing")).toBe(
      "Secret elsewhere does not exist: create it with the key uri",
    );
    expect(await statusOf(scene, namespace, "watch")).toMatchObject({ phase: "Pending" });
    const uri = "postgres://watch:hunter2@db.example:6432/watch?sslmode=verify-full";
    await scene.create(kinds.secrets, namespace, {
      metadata: { name: "elsewhere" },
      stringData: { url: uri },
    });
    await vi.waitFor(async () => {
      const { message } = (await condition(scene, namespace, "watch", "DatabaseReady")) ?? {};
      expect(message).toBe("Secret elsewhere has no key uri: add it, or name another key in spec.database");
    }, patience);
    await scene.patch(kinds.guilds, namespace, "watch", {
      spec: { database: { secretRef: { key: "url" } } },
    });
    await goesUp(namespace, "watch");
    for (const { env, spec } of [await migrationOf(namespace), await botOf(namespace, "watch")]) {
      expect(env).toMatchObject({ DATABASE_URL_FILE: "/var/run/secrets/dkp/database/url" });
      expect(env["DATABASE_HOST"]).toBeUndefined();
      expect(JSON.stringify(spec.volumes)).toContain('"name":"elsewhere"');
    }
    const everything = await Promise.all(
      [kinds.deployments, kinds.jobs, kinds.configMaps, kinds.guilds].map((kind) =>
        scene.list(kind, namespace),
      ),
    );
    expect(JSON.stringify(everything)).not.toContain("hunter2");
    expect(await scene.get(kinds.secrets, namespace, "watch-runtime")).toBeUndefined();
    expect(await statusOf(scene, namespace, "watch")).toMatchObject({ database: { mode: "external" } });
    const policy = await scene.part(kinds.networkPolicies, namespace, "watch-bot");
    expect(policy["egress"]).toContainEqual({
      ports: [5432, 6432].map((port) => ({ protocol: "TCP", port })),
    });
    await staysQuiet();
  });

  test("guilds of the other modes say what is needed, and go on when it comes", async () => {
    const namespace = await scene.namespace("waiting");
    await makeToken(scene, namespace);
    const database = { mode: "shared", clusterRef: { name: "common" } };
    await scene.create(kinds.guilds, namespace, makeGuild("guest", "810000000000000002", { database }));
    const own = await scene.namespace("waiting-too");
    await makeToken(scene, own);
    await scene.create(kinds.guilds, own, makeGuild("host", "810000000000000003"));
    expect(await failsFor(scene, namespace, "guest", "DatabaseReady", "CnpgTooOld")).toContain("1.30");
    await failsFor(scene, own, "host", "DatabaseReady", "CnpgNotInstalled");

    await scene.installCloudNativePg();
    await exists(kinds.clusters, own, "host-db");
    await failsFor(scene, namespace, "guest", "DatabaseReady", "ClusterMissing");
  });
});

describe("a guild in a shared Cluster", () => {
  const namespace = "waiting";
  const name = "guest";
  const role = "dkp_810000000000000002";

  test("waits for the Cluster and for what CloudNativePG makes of it, and comes up as two roles of its own", async () => {
    expect(await failsFor(scene, namespace, name, "Ready", "ClusterMissing")).toContain("Cluster common");
    await scene.create(kinds.clusters, namespace, {
      apiVersion: "postgresql.cnpg.io/v1",
      kind: "Cluster",
      metadata: { name: "common" },
      spec: { instances: 1, storage: { size: "1Gi" } },
    });
    await failsFor(scene, namespace, name, "Ready", "DatabaseNotReady");
    await exists(kinds.databases, namespace, `${name}-db`);
    await sharedApplied(scene, namespace, { applied: false, message: "disk full" });
    await vi.waitFor(async () => {
      const { message } = (await condition(scene, namespace, name, "Ready")) ?? {};
      expect(message).toContain("disk full");
    }, patience);
    expect(await scene.list(kinds.jobs, namespace)).toEqual([]);
    await sharedApplied(scene, namespace);
    await goesUp(namespace, name);

    const objects = [
      ...(await scene.list(kinds.databaseRoles, namespace)),
      ...(await scene.list(kinds.databases, namespace)),
    ].map(({ spec }: KubeObject & { spec?: object }) => spec);
    const cluster = { name: "common" };
    expect(objects).toEqual([
      expect.objectContaining({
        cluster,
        name: `${role}_bot`,
        login: true,
        passwordSecret: { name: "guest-runtime" },
      }),
      expect.objectContaining({ cluster, name: role, passwordSecret: { name: "guest-owner" } }),
      expect.objectContaining({ cluster, name: role, owner: role, databaseReclaimPolicy: "retain" }),
    ]);
    expect(await credentials(namespace, "guest-owner")).toMatchObject({ username: role });
    expect(await credentials(namespace, "guest-runtime")).toMatchObject({ username: `${role}_bot` });
    const host = "common-rw.waiting.svc";
    expect((await botOf(namespace, name)).env).toMatchObject({ DATABASE_HOST: host, DATABASE_NAME: role });
    expect((await migrationOf(namespace)).env).toMatchObject({
      DATABASE_HOST: host,
      DATABASE_RUNTIME_ROLE: `${role}_bot`,
    });
    expect(await statusOf(scene, namespace, name)).toMatchObject({
      database: { mode: "shared", cluster: "common" },
    });
    // The Cluster is somebody else's: nothing of ours is on it.
    expect(await scene.get(kinds.networkPolicies, namespace, "guest-db")).toBeUndefined();
    expect((await scene.get(kinds.clusters, namespace, "common"))?.metadata.labels).toBeUndefined();
    await staysQuiet();
  });

  test("gives developers an account of the guild's own, and takes it away", async () => {
    await scene.patch(kinds.guilds, namespace, name, { spec: { database: { devAccess: "readOnly" } } });
    await exists(kinds.databaseRoles, namespace, `${name}-db-dev`);
    await sharedApplied(scene, namespace);
    await settles(namespace, name);
    expect((await migrationOf(namespace)).env).toMatchObject({
      DATABASE_DEVELOPER_ROLE: `${role}_dev`,
      DATABASE_DEVELOPER_ACCESS: "readOnly",
    });
    const { password = "", ...given } = await credentials(namespace, `${name}-db-developer`);
    expect(given).toMatchObject({
      username: `${role}_dev`,
      host: "common-rw.waiting.svc",
      dbname: role,
      uri: `postgresql://${role}_dev:${password}@common-rw.waiting.svc:5432/${role}?sslmode=verify-full`,
    });
    await scene.patch(kinds.guilds, namespace, name, { spec: { database: { devAccess: "none" } } });
    await settles(namespace, name);
    await isGone(kinds.secrets, namespace, `${name}-db-developer`);
    // A role that owns tables cannot be dropped.
    expect(await scene.part(kinds.databaseRoles, namespace, `${name}-db-dev`)).toMatchObject({
      login: false,
      disablePassword: true,
    });
    expect((await migrationOf(namespace)).env["DATABASE_DEVELOPER_ROLE"]).toBeUndefined();
    await staysQuiet();
  });

  test("needs a CloudNativePG that knows roles as objects; those with a Cluster of their own do not", async () => {
    const crd = (await scene.plane.call("GET", definition("databaseroles"))).body as KubeObject;
    await scene.plane.call("DELETE", definition("databaseroles"));
    await failsFor(scene, namespace, name, "DatabaseReady", "CnpgTooOld");
    await vi.waitFor(() => databaseReady(scene, "waiting-too", "host"), patience);
    await goesUp("waiting-too", "host");
    await scene.plane.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
      apiVersion: crd.apiVersion,
      kind: crd.kind,
      metadata: { name: crd.metadata.name, annotations: crd.metadata.annotations },
      spec: crd["spec"],
    });
    await vi.waitFor(() => exists(kinds.databaseRoles, namespace, `${name}-db-owner`), patience);
    await sharedApplied(scene, namespace);
    await settles(namespace, name);
    // The API server answers so, too, while it takes a kind away.
    expect(forbidden.filter((message) => !message.includes("definition is terminating"))).toEqual([]);
  });
});

const host = (service: string) => `${service}.dedicated.svc`;

describe("a guild with a Cluster of its own", () => {
  const name = "watch";
  const guildId = "810000000000000004";
  let namespace: string;
  const database = {
    instances: 3,
    size: "standard",
    storage: { size: "1Gi" },
    resources: { limits: { memory: "3Gi" } },
    parameters: { work_mem: "12MB" },
    pooler: { instances: 2, poolSize: 30 },
    devAccess: "devSchema",
  };
  const placement = {
    region: "eu-central",
    nodeSelector: { disk: "nvme" },
    tolerations: [{ key: "guilds", operator: "Exists", effect: "NoSchedule" }],
  };

  test("gets the size, the place and the Pooler that it asks for", async () => {
    namespace = await scene.namespace("dedicated");
    await makeToken(scene, namespace);
    const spec = { bot: { replicas: 4, size: "standard", logFormat: "text" }, database, placement };
    await scene.create(kinds.guilds, namespace, makeGuild(name, guildId, spec));
    await vi.waitFor(() => databaseReady(scene, namespace, name), patience);
    await goesUp(namespace, name);
    expect(await scene.part(kinds.clusters, namespace, "watch-db")).toMatchObject({
      instances: 3,
      enablePDB: true,
      storage: { size: "1Gi" },
      resources: { requests: { cpu: "1", memory: "2Gi" }, limits: { memory: "3Gi" } },
      postgresql: {
        synchronous: { method: "any", number: 1, dataDurability: "preferred" },
        parameters: {
          shared_buffers: "512MB",
          effective_cache_size: "1536MB",
          work_mem: "12MB",
          archive_timeout: "5min",
          max_connections: "200",
        },
      },
      certificates: { serverAltDNSNames: [host("watch-db-pooler")] },
      affinity: {
        podAntiAffinityType: "preferred",
        nodeSelector: { "topology.kubernetes.io/region": "eu-central", disk: "nvme" },
        tolerations: placement.tolerations,
      },
    });
    expect(await scene.part(kinds.poolers, namespace, "watch-db-pooler")).toMatchObject({
      cluster: { name: "watch-db" },
      instances: 2,
      type: "rw",
      pgbouncer: { poolMode: "session", parameters: { default_pool_size: "30" } },
    });
    const bot = await botOf(namespace, name);
    expect(bot.env).toMatchObject({
      DATABASE_HOST: host("watch-db-pooler"),
      DATABASE_RO_HOST: host("watch-db-ro"),
      DATABASE_POOL_MAX: "9",
      LOG_FORMAT: "text",
    });
    const migration = await migrationOf(namespace);
    expect(migration.env).toMatchObject({
      DATABASE_HOST: host("watch-db-rw"),
      DATABASE_DEVELOPER_ROLE: "dkp_developer",
      DATABASE_DEVELOPER_ACCESS: "devSchema",
    });
    for (const { spec: pods } of [bot, migration])
      expect(pods).toMatchObject({
        nodeSelector: { "topology.kubernetes.io/region": "eu-central", disk: "nvme" },
        tolerations: placement.tolerations,
      });
    await staysQuiet();
  });

  test("has requests and limits on every container", async () => {
    const pooler = (await scene.part(kinds.poolers, namespace, "watch-db-pooler")) as Pods;
    const containers = [
      ...(await botOf(namespace, name)).spec.containers,
      ...containersOf((await migrationOf(namespace)).spec),
      ...pooler.template.spec.containers,
    ].map(({ resources }) => resources);
    const { resources } = (await scene.part(kinds.clusters, namespace, "watch-db")) as Container;
    for (const given of [...containers, resources])
      expect(given).toEqual({
        requests: { cpu: expect.any(String), memory: expect.any(String) },
        limits: { memory: expect.any(String) },
      });
  });

  test("lets TLS alone in, each role to its own database", async () => {
    const { postgresql } = await scene.part(kinds.clusters, namespace, "watch-db");
    expect((postgresql as { pg_hba: string[] }).pg_hba).toEqual(
      ["dkp", "dkp_bot", "dkp_developer"].flatMap((role) => [
        `hostssl dkp ${role} all scram-sha-256`,
        `host all ${role} all reject`,
      ]),
    );
  });

  test("goes without Pooler and developers again, and nothing of them stays but a role that may not log in", async () => {
    await scene.patch(kinds.guilds, namespace, name, {
      spec: { database: { pooler: null, devAccess: "none", storage: { size: "2Gi" } } },
    });
    await settles(namespace, name);
    await isGone(kinds.poolers, namespace, "watch-db-pooler");
    await isGone(kinds.networkPolicies, namespace, "watch-db-pooler");
    await isGone(kinds.secrets, namespace, "watch-db-developer");
    const { env } = await botOf(namespace, name);
    expect(env).toMatchObject({ DATABASE_HOST: host("watch-db-rw") });
    expect(env["DATABASE_POOL_MAX"]).toBeUndefined();
    const cluster = await scene.part(kinds.clusters, namespace, "watch-db");
    expect(cluster).toMatchObject({
      storage: { size: "2Gi" },
      postgresql: { parameters: { max_connections: "200" } },
    });
    expect(cluster["certificates"]).toBeUndefined();
    const { roles } = cluster["managed"] as { roles: object[] };
    expect(roles[1]).toMatchObject({ name: "dkp_developer", login: false, disablePassword: true });
    await staysQuiet();
  });
});
