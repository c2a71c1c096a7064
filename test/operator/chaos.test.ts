import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import * as kinds from "../../operator/guild/resources.ts";
import type { Operator, OperatorOptions } from "../../operator/start.ts";
import type { KubeClient } from "../../runtime/kube/client.ts";
import { type Proxy, startProxy } from "../runtime/proxy.ts";
import { childKinds } from "./child-kinds.ts";
import { recording } from "./clients.ts";
import { everybodyPlays, makeGuild, makeToken } from "./players.ts";
import { type Scene, openScene } from "./scene.ts";
import { statusOf } from "./status.ts";

const patience = { timeout: 60_000, interval: 50 };
let scene: Scene;
let proxy: Proxy;
const running: { operator: Operator; client: KubeClient }[] = [];

beforeAll(async () => {
  scene = await openScene({ cloudNativePg: true });
});

afterAll(() => scene?.stop());

beforeEach(async () => {
  proxy = await startProxy(scene.plane);
});

afterEach(async () => {
  proxy.intercept(() => undefined);
  for (const { operator, client } of running.splice(0)) {
    await operator.stop();
    await client.close();
  }
  await proxy.close();
});

let counter = 0;
async function newGuild(deletionPolicy = "Retain"): Promise<string> {
  counter += 1;
  const namespace = await scene.namespace(`space-${counter}`);
  await makeToken(scene, namespace);
  const guildId = `8${counter.toString().padStart(17, "0")}`;
  await scene.create(kinds.guilds, namespace, makeGuild("watch", guildId, { deletionPolicy }));
  return namespace;
}

/** An operator that sees one namespace, through the proxy or straight. */
async function startOperator(
  namespace: string,
  via: string | undefined,
  more: Partial<OperatorOptions> = {},
) {
  const client = await scene.operatorClient(via);
  const pace = { recheckMs: 300, resyncMs: 1_000, leasePeriodMs: 1_000, secretMemoryMs: 0 };
  const operator = scene.startOperator(client, { ...pace, namespaces: [namespace], ...more });
  running.push({ operator, client });
  return operator;
}

const reaches = (namespace: string, phase: string) =>
  vi.waitFor(async () => expect((await statusOf(scene, namespace, "watch")).phase).toBe(phase), patience);

async function childrenOf(namespace: string): Promise<string[]> {
  const lists = await Promise.all(childKinds.map((resource) => scene.list(resource, namespace)));
  return lists
    .flatMap((list, index) => list.map(({ metadata }) => `${childKinds[index]?.kind} ${metadata.name}`))
    .filter((name) => !/ (default|kube-root-ca.crt|discord)$/.test(name))
    .map((name) => name.replace(/migrate-[0-9a-f]{8}/, "migrate"))
    .toSorted();
}

const everything = [
  "Cluster watch-db",
  "ConfigMap watch-config",
  "ConfigMap watch-report",
  "Deployment watch-bot",
  "Job watch-migrate",
  "Lease watch-leader",
  "NetworkPolicy watch-bot",
  "NetworkPolicy watch-db",
  "PodDisruptionBudget watch-bot",
  "Role watch-bot",
  "RoleBinding watch-bot",
  "Secret watch-runtime",
  "Service watch-internal",
  "ServiceAccount watch-bot",
];

const replicas = async (namespace: string) =>
  (await scene.part(kinds.deployments, namespace, "watch-bot"))["replicas"];

/** Every so often, as long as the trouble lasts. */
function again(everyMs: number, act: () => void): { stop(): void } {
  const timer = setInterval(act, everyMs);
  return { stop: () => clearInterval(timer) };
}

/** Lets about one request in n suffer, by a fixed sequence: strict turns would fall into step with what the operator asks for. */
function oneIn(n: number, suffer: Parameters<Proxy["intercept"]>[0]): Parameters<Proxy["intercept"]>[0] {
  let state = 1;
  return (call) => {
    // Numerical Recipes' linear congruential generator.
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state < 2 ** 32 / n ? suffer(call) : undefined;
  };
}

const isWatch = (path: string) => path.includes("watch=true");
const gone = {
  type: "ERROR",
  object: {
    kind: "Status",
    apiVersion: "v1",
    status: "Failure",
    reason: "Expired",
    code: 410,
    message: "too old",
  },
};
const tooMany = { status: 429, headers: { "retry-after": "1" }, body: { kind: "Status", code: 429 } };
const broken = { status: 500, body: { kind: "Status", code: 500, message: "etcdserver: request timed out" } };

describe("a guild comes up, and is kept as declared, while", () => {
  test.each<[string, () => { stop(): void }]>([
    ["watches are cut over and over", () => again(250, () => proxy.endWatches("clean"))],
    ["watches are reset over and over", () => again(250, () => proxy.endWatches("reset"))],
    ["watches expire over and over (410)", () => again(400, () => proxy.sayToWatches(gone))],
    [
      "one request in three is reset",
      () => {
        proxy.intercept(oneIn(3, () => ({ reset: true })));
        return again(1_000, () => undefined);
      },
    ],
    [
      "one request in four is told to come back in a second (429)",
      () => {
        proxy.intercept(oneIn(4, ({ path }) => (isWatch(path) ? undefined : tooMany)));
        return again(1_000, () => undefined);
      },
    ],
    [
      "one request in three fails (500)",
      () => {
        proxy.intercept(oneIn(3, () => broken));
        return again(1_000, () => undefined);
      },
    ],
    [
      "the API server takes its time",
      () => {
        proxy.intercept(() => ({ delayMs: 150 }));
        return again(1_000, () => undefined);
      },
    ],
    [
      "caches are stale by a second",
      () => {
        proxy.lagWatches(1_000);
        return again(1_000, () => undefined);
      },
    ],
  ])("%s", { timeout: 150_000 }, async (_, begin) => {
    const trouble = begin();
    const namespace = await newGuild();
    await startOperator(namespace, proxy.url);
    const players = everybodyPlays(scene, namespace, "watch");
    await reaches(namespace, "Ready");
    expect(await childrenOf(namespace)).toEqual(everything);
    await scene.patch(kinds.deployments, namespace, "watch-bot", { spec: { replicas: 7 } });
    await expect.poll(() => replicas(namespace), patience).toBe(2);
    await scene.remove(kinds.configMaps, namespace, "watch-config");
    await expect.poll(() => scene.get(kinds.configMaps, namespace, "watch-config"), patience).toBeDefined();
    await scene.patch(kinds.guilds, namespace, "watch", { spec: { bot: { replicas: 3 } } });
    await expect.poll(() => replicas(namespace), patience).toBe(3);
    await reaches(namespace, "Ready");
    trouble.stop();
    await players.stop();
  });
});

describe("leadership", () => {
  const election = {
    namespace: "dkp-system",
    leaseDurationMs: 3_000,
    renewDeadlineMs: 2_000,
    retryPeriodMs: 300,
  };

  test(
    "a leader that is cut off stops before another begins, and follows when it is back",
    { timeout: 120_000 },
    async () => {
      const namespace = await newGuild();
      const named = { election: { ...election, name: "partition" } };
      const first = await startOperator(namespace, proxy.url, { ...named, identity: "first" });
      await expect.poll(() => first.isLeader(), patience).toBe(true);
      const second = await startOperator(namespace, undefined, { ...named, identity: "second" });
      proxy.intercept(() => ({ reset: true }));
      proxy.endWatches("reset");
      const both: boolean[] = [];
      const watching = again(20, () => both.push(first.isLeader() && second.isLeader()));
      await expect.poll(() => second.isLeader(), patience).toBe(true);
      expect(first.isLeader()).toBe(false);
      const players = everybodyPlays(scene, namespace, "watch");
      await reaches(namespace, "Ready");
      proxy.intercept(() => undefined);
      const asked = proxy.requests.length;
      await expect.poll(() => proxy.requests.slice(asked).some((line) => isWatch(line)), patience).toBe(true);
      await scene.patch(kinds.deployments, namespace, "watch-bot", { spec: { replicas: 7 } });
      await expect.poll(() => replicas(namespace), patience).toBe(2);
      expect(first.isLeader()).toBe(false);
      watching.stop();
      expect(both).not.toContain(true);
      await players.stop();
    },
  );

  test(
    "a leader whose Lease is given to another stops, and leads again when that one has gone",
    { timeout: 120_000 },
    async () => {
      const namespace = await newGuild();
      const operator = await startOperator(namespace, undefined, {
        election: { ...election, name: "lost" },
        identity: "first",
      });
      await expect.poll(() => operator.isLeader(), patience).toBe(true);
      const now = `${new Date().toISOString().slice(0, 23)}000Z`;
      const stolen = { holderIdentity: "thief", leaseDurationSeconds: 3, acquireTime: now, renewTime: now };
      await scene.patch(kinds.leases, "dkp-system", "lost", { spec: stolen });
      await expect.poll(() => operator.isLeader(), patience).toBe(false);
      await expect.poll(() => operator.isLeader(), patience).toBe(true);
      const players = everybodyPlays(scene, namespace, "watch");
      await reaches(namespace, "Ready");
      await players.stop();
    },
  );

  test("a deleted Lease is made again, and work goes on", { timeout: 120_000 }, async () => {
    const namespace = await newGuild();
    const operator = await startOperator(namespace, undefined, {
      election: { ...election, name: "deleted" },
      identity: "first",
    });
    await expect.poll(() => operator.isLeader(), patience).toBe(true);
    await scene.remove(kinds.leases, "dkp-system", "deleted");
    await expect.poll(() => scene.get(kinds.leases, "dkp-system", "deleted"), patience).toBeDefined();
    await expect.poll(() => operator.isLeader(), patience).toBe(true);
    const players = everybodyPlays(scene, namespace, "watch");
    await reaches(namespace, "Ready");
    await players.stop();
  });
});

describe("a clock that is wrong", () => {
  test.each([
    ["an hour fast", 3_600_000],
    ["an hour slow", -3_600_000],
  ])(
    "by %s changes nothing of the end, and costs no write in the steady state",
    { timeout: 90_000 },
    async (_, skewMs) => {
      const namespace = await newGuild();
      const { client, writes } = recording(await scene.operatorClient());
      const operator = scene.startOperator(client, {
        namespaces: [namespace],
        recheckMs: 300,
        resyncMs: 400,
        clock: () => Date.now() + skewMs,
      });
      running.push({ operator, client });
      const players = everybodyPlays(scene, namespace, "watch");
      await reaches(namespace, "Ready");
      await players.stop();
      expect(await childrenOf(namespace)).toEqual(everything);
      const settled = () => writes.filter(({ kind }) => kind !== "Event").length;
      await vi.waitFor(async () => {
        const before = settled();
        await new Promise((resolve) => {
          setTimeout(resolve, 1_500);
        });
        expect(settled()).toBe(before);
      }, patience);
    },
  );
});

describe("an object that will not go", () => {
  const hold = { metadata: { finalizers: ["test.example/hold"] } };
  const release = { metadata: { finalizers: null } };

  test.each([
    ["ConfigMap", kinds.configMaps, "watch-config"],
    ["Deployment", kinds.deployments, "watch-bot"],
  ])(
    "(a %s that somebody deleted) is waited for and then made again",
    { timeout: 90_000 },
    async (_, resource, name) => {
      const namespace = await newGuild();
      await startOperator(namespace, undefined);
      const players = everybodyPlays(scene, namespace, "watch");
      await reaches(namespace, "Ready");
      const uid = (await scene.get(resource, namespace, name))?.metadata.uid;
      await scene.patch(resource, namespace, name, hold);
      await scene.remove(resource, namespace, name);
      await scene.patch(kinds.guilds, namespace, "watch", { spec: { bot: { replicas: 3 } } });
      await scene.patch(resource, namespace, name, release);
      await expect
        .poll(async () => {
          const live = await scene.get(resource, namespace, name);
          return live !== undefined && live.metadata.uid !== uid;
        }, patience)
        .toBe(true);
      await expect.poll(() => replicas(namespace), patience).toBe(3);
      await reaches(namespace, "Ready");
      await players.stop();
    },
  );

  test(
    "(a database under deletionPolicy Delete) holds its guild in Deleting, and nobody else up",
    { timeout: 90_000 },
    async () => {
      const namespace = await newGuild("Delete");
      await startOperator(namespace, undefined);
      const players = everybodyPlays(scene, namespace, "watch");
      await reaches(namespace, "Ready");
      await players.stop();
      await scene.patch(kinds.clusters, namespace, "watch-db", hold);
      await scene.remove(kinds.guilds, namespace, "watch");
      await reaches(namespace, "Deleting");
      await scene.patch(kinds.clusters, namespace, "watch-db", release);
      await expect.poll(() => scene.get(kinds.guilds, namespace, "watch"), patience).toBeUndefined();
      expect(await scene.get(kinds.clusters, namespace, "watch-db")).toBeUndefined();
    },
  );
});
