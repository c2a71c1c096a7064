import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { objectCache, type CacheChange, type ObjectCache } from "../../runtime/kube/cache.ts";
import { kubeClient, type KubeClient } from "../../runtime/kube/client.ts";
import { lightKubeClient } from "../../runtime/kube/light-client.ts";
import type { KubeObject, Resource } from "../../runtime/kube/object.ts";
import {
  reflect,
  type Reflector,
  type ReflectorOptions,
  type ReflectorState,
} from "../../runtime/kube/reflector.ts";
import { startControlPlane, type ControlPlane } from "../cluster/control-plane.ts";
import { adminClient, configMap, configMaps, freshNamespace, silent, type ConfigMap } from "./api.ts";
import { startProxy, type Proxy } from "./proxy.ts";

let plane: ControlPlane;
let proxy: Proxy;
let direct: KubeClient;
let client: KubeClient;
const started: Reflector[] = [];

beforeAll(async () => {
  plane = await startControlPlane();
  proxy = await startProxy(plane);
  direct = adminClient(plane);
  client = adminClient(plane, proxy.url);
}, 1_800_000);
afterEach(async () => {
  proxy.intercept(() => undefined);
  await Promise.all(started.splice(0).map((reflector) => reflector.stop()));
});
afterAll(async () => {
  await client?.close();
  await direct?.close();
  await proxy?.close();
  await plane?.stop();
});

type Mirror = {
  cache: ObjectCache<ConfigMap>;
  /** `added a`, `updated a`, `deleted a` in order. */
  told: string[];
  states: ReflectorState[];
  reflector: Reflector;
};

function mirror(namespace: string, options: Partial<ReflectorOptions<ConfigMap>> = {}): Mirror {
  const cache = objectCache<ConfigMap>();
  const told: string[] = [];
  const states: ReflectorState[] = [];
  const reflector = reflect<ConfigMap>({
    client,
    resource: configMaps,
    namespaces: [namespace],
    cache,
    onChange: (change) => told.push(`${change.type} ${change.object.metadata.name}`),
    onState: (state) => states.push(state),
    log: silent,
    backoff: { baseMs: 20, maxMs: 200 },
    ...options,
  });
  started.push(reflector);
  return { cache, told, states, reflector };
}

const watching = (one: Mirror) => vi.waitFor(() => expect(one.reflector.state()).toBe("watching"), 20_000);

const versions = (objects: Iterable<KubeObject>) =>
  [...objects].map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`).toSorted();

/** Waits until the cache holds exactly what the API server holds. */
async function agrees(one: Mirror, namespace: string): Promise<void> {
  const truth = versions((await direct.list(configMaps, { namespace })).items);
  await vi.waitFor(() => expect(versions(one.cache.values())).toEqual(truth), 20_000);
}

const put = (namespace: string, name: string, data: Record<string, string>) =>
  direct.apply(configMaps, configMap(namespace, name, data));

const isWatch = (path: string) => path.includes("watch=true");

describe("list and watch", () => {
  test("gives out an event of a version that is held already as a bookmark, but not one that takes an object away", async () => {
    const namespace = await freshNamespace(direct);
    const { resourceVersion } = await direct.list(configMaps, { namespace });
    const write = async (data: Record<string, string>, labels = { kept: "yes" }) => {
      const object = configMap(namespace, "a", data);
      const written = await direct.apply(configMaps, { ...object, metadata: { ...object.metadata, labels } });
      return written.metadata.resourceVersion ?? "";
    };
    const own = await write({ text: '"resourceVersion":"1"' });
    await write({ text: "" });
    const held = new Set([own, await write({}, { kept: "no" })]);
    const query = { namespace, resourceVersion, labelSelector: "kept=yes" };
    const isHeld = (version: string) => held.has(version);
    const seen: string[] = [];
    for await (const event of client.watch(configMaps, { ...query, isHeld }, AbortSignal.timeout(20_000))) {
      seen.push(event.type === "BOOKMARK" ? event.resourceVersion : event.type);
      if (seen.length === 3) break;
    }
    expect(seen).toEqual([own, "MODIFIED", "DELETED"]);
  });

  test("lists page by page, then follows additions, updates and deletions", async () => {
    const namespace = await freshNamespace(direct);
    for (const name of ["a", "b", "c", "d", "e"]) await put(namespace, name, {});
    const one = mirror(namespace, { pageSize: 2 });
    await one.reflector.synced;
    expect(one.told).toEqual(["added a", "added b", "added c", "added d", "added e"]);
    await watching(one);
    await put(namespace, "a", { changed: "yes" });
    await direct.remove(configMaps, { namespace, name: "b" });
    await put(namespace, "f", {});
    await agrees(one, namespace);
    expect(one.told.slice(5)).toEqual(["updated a", "deleted b", "added f"]);
    expect(one.states).toEqual(["listing", "watching"]);
  });

  test("keeps neither field ownership nor kubectl's copy", async () => {
    const namespace = await freshNamespace(direct);
    const bulky = configMap(namespace, "a");
    bulky.metadata.annotations = { "kubectl.kubernetes.io/last-applied-configuration": "{}", kept: "yes" };
    await direct.apply(configMaps, bulky);
    const one = mirror(namespace);
    await one.reflector.synced;
    const held = one.cache.get({ namespace, name: "a" });
    expect(held?.metadata).not.toHaveProperty("managedFields");
    expect(held?.metadata.annotations).toEqual({ kept: "yes" });
  });

  test("mirrors several namespaces and no other", async () => {
    const [first, second, third] = [
      await freshNamespace(direct),
      await freshNamespace(direct),
      await freshNamespace(direct),
    ];
    for (const namespace of [first, second, third]) await put(namespace, "a", {});
    const one = mirror(first, { namespaces: [first, second] });
    await one.reflector.synced;
    expect(new Set([...one.cache.values()].map((object) => object.metadata.namespace))).toEqual(
      new Set([first, second]),
    );
  });

  test("does not tell the echo of a write that was remembered", async () => {
    const namespace = await freshNamespace(direct);
    // The echo must not be faster than the answer.
    proxy.intercept(({ path }) => (isWatch(path) ? { status: 503 } : undefined));
    const one = mirror(namespace);
    await vi.waitFor(() =>
      expect(proxy.requests.some((line) => line.includes(namespace) && isWatch(line))).toBe(true),
    );
    one.cache.remember(await direct.apply<ConfigMap>(configMaps, configMap(namespace, "mine", { a: "1" })));
    proxy.intercept(() => undefined);
    await put(namespace, "other", {});
    await agrees(one, namespace);
    expect(one.told).toEqual(["added other"]);
  });

  test("tells a deletion and an addition when an object was recreated", async () => {
    const namespace = await freshNamespace(direct);
    await put(namespace, "a", {});
    const one = mirror(namespace);
    await watching(one);
    await direct.remove(configMaps, { namespace, name: "a" });
    await put(namespace, "a", {});
    await agrees(one, namespace);
    expect(one.told).toEqual(["added a", "deleted a", "added a"]);
  });
});

describe.each([
  ["undici", kubeClient],
  ["Node's own HTTP", lightKubeClient],
] as const)("cuts over %s", (_, make) => {
  let usual: KubeClient;
  beforeAll(() => {
    usual = client;
    client = adminClient(plane, proxy.url, {}, make);
  });
  afterAll(async () => {
    await client.close();
    client = usual;
  });

  test.each(["clean", "reset"] as const)(
    "loses and repeats nothing when the watch ends by a %s cut while objects change",
    async (how) => {
      const namespace = await freshNamespace(direct);
      const one = mirror(namespace);
      await watching(one);
      for (let round = 0; round < 10; round++) {
        await put(namespace, `n${round}`, {});
        if (round % 3 === 0) proxy.endWatches(how);
        await put(namespace, `n${round}`, { round: String(round) });
        if (round % 2 === 1) await direct.remove(configMaps, { namespace, name: `n${round}` });
      }
      await put(namespace, "last", {});
      await agrees(one, namespace);
      const added = one.told.filter((line) => line.startsWith("added"));
      expect(added).toEqual([...Array.from({ length: 10 }, (_, round) => `added n${round}`), "added last"]);
      expect(one.told.filter((line) => line.startsWith("deleted"))).toHaveLength(5);
      expect(
        proxy.requests.filter((line) => line.includes(namespace) && line.includes("limit=")),
      ).toHaveLength(1);
    },
  );

  test("resumes at once and from where it was after a clean end", async () => {
    const namespace = await freshNamespace(direct);
    const one = mirror(namespace, { backoff: { baseMs: 60_000, maxMs: 60_000 } });
    await watching(one);
    await put(namespace, "a", {});
    await agrees(one, namespace);
    proxy.endWatches("clean");
    await put(namespace, "b", {});
    await agrees(one, namespace);
    const watches = proxy.requests.filter((line) => line.includes(namespace) && line.includes("watch=true"));
    expect(watches).toHaveLength(2);
  });

  test("notices a connection that is open but dead", async () => {
    const namespace = await freshNamespace(direct);
    const one = mirror(namespace, { idleTimeoutMs: 500 });
    await watching(one);
    expect(proxy.endWatches("silent")).toBeGreaterThan(0);
    await put(namespace, "a", {});
    await agrees(one, namespace);
  });

  test("lists again on 410 and notices what was deleted, recreated and added meanwhile", async () => {
    const namespace = await freshNamespace(direct);
    for (const name of ["gone", "reborn", "same"]) await put(namespace, name, {});
    const one = mirror(namespace);
    await watching(one);
    one.told.length = 0;
    let refused = 0;
    // Unreachable, so that nothing of what follows is seen by the watch.
    proxy.intercept(() => ({ reset: true }));
    proxy.endWatches("reset");
    await direct.remove(configMaps, { namespace, name: "gone" });
    await direct.remove(configMaps, { namespace, name: "reborn" });
    await put(namespace, "reborn", {});
    await put(namespace, "new", {});
    proxy.intercept(({ path }) => {
      if (!path.includes("watch=true") || refused > 0) return undefined;
      refused += 1;
      return {
        status: 410,
        body: { kind: "Status", reason: "Expired", code: 410, message: "too old resource version" },
      };
    });
    await agrees(one, namespace);
    expect(one.told.toSorted()).toEqual(["added new", "added reborn", "deleted gone", "deleted reborn"]);
  });

  test("lists again when the watch says 410 in its stream", async () => {
    const namespace = await freshNamespace(direct);
    const one = mirror(namespace);
    await watching(one);
    proxy.sayToWatches({
      type: "ERROR",
      object: { kind: "Status", code: 410, reason: "Expired", message: "too old" },
    });
    await put(namespace, "a", {});
    await agrees(one, namespace);
    await vi.waitFor(() =>
      expect(
        proxy.requests.filter((line) => line.includes(namespace) && line.includes("limit=")),
      ).toHaveLength(2),
    );
  });

  test("starts the list over, unpaged, when it is compacted between two pages", async () => {
    const namespace = await freshNamespace(direct);
    for (const name of ["a", "b", "c"]) await put(namespace, name, {});
    proxy.intercept(({ path }) =>
      path.includes("continue=")
        ? { status: 410, body: { kind: "Status", code: 410, reason: "Expired" } }
        : undefined,
    );
    const one = mirror(namespace, { pageSize: 2 });
    await one.reflector.synced;
    expect(one.told).toEqual(["added a", "added b", "added c"]);
  });

  test("is failing while the API server is away and heals when it is back", async () => {
    const namespace = await freshNamespace(direct);
    const one = mirror(namespace);
    await watching(one);
    await put(namespace, "a", {});
    await agrees(one, namespace);
    await plane.kill("kube-apiserver");
    await vi.waitFor(() => expect(one.reflector.state()).toBe("failing"), 20_000);
    await plane.restart("kube-apiserver");
    await watching(one);
    await put(namespace, "b", {});
    await agrees(one, namespace);
    expect(one.told).toEqual(["added a", "added b"]);
  });
});

test("a handler that throws ends the process instead of being swallowed", async () => {
  const namespace = await freshNamespace(direct);
  await put(namespace, "a", {});
  const program = fileURLToPath(new URL("./throwing-handler.ts", import.meta.url));
  const child = spawn(process.execPath, [program, proxy.url, plane.adminToken, namespace], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let told = "";
  child.stderr.on("data", (piece: Buffer) => (told += piece.toString()));
  const [code] = (await once(child, "exit")) as [number];
  expect(code).toBe(1);
  expect(told).toContain("the handler is wrong");
});

describe("kinds that come and go", () => {
  const raids: Resource = {
    group: "runtime.test",
    version: "v1",
    kind: "Raid",
    plural: "raids",
    namespaced: true,
  };
  const crds: Resource = {
    group: "apiextensions.k8s.io",
    version: "v1",
    kind: "CustomResourceDefinition",
    plural: "customresourcedefinitions",
    namespaced: false,
  };
  const definition: KubeObject = {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "raids.runtime.test" },
    spec: {
      group: "runtime.test",
      scope: "Namespaced",
      names: { plural: "raids", singular: "raid", kind: "Raid" },
      versions: [
        { name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } },
      ],
    },
  };

  test("an unknown kind is absent, is found once it is defined, and absent again when its definition goes", async () => {
    const namespace = await freshNamespace(direct);
    const told: string[] = [];
    const cache = objectCache();
    const onChange = (change: CacheChange<KubeObject>) =>
      told.push(`${change.type} ${change.object.metadata.name}`);
    const backoff = { baseMs: 20, maxMs: 100 };
    const reflector = reflect({ client, resource: raids, cache, onChange, log: silent, backoff });
    started.push(reflector);
    await reflector.synced;
    expect(reflector.state()).toBe("absent");
    await direct.apply(crds, definition);
    await vi.waitFor(() => expect(reflector.state()).toBe("watching"), 20_000);
    await vi.waitFor(async () => {
      await direct.apply(raids, {
        apiVersion: "runtime.test/v1",
        kind: "Raid",
        metadata: { namespace, name: "core" },
      });
    }, 20_000);
    await vi.waitFor(() => expect(told).toEqual(["added core"]), 20_000);
    await direct.remove(crds, { name: "raids.runtime.test" });
    await vi.waitFor(() => expect(reflector.state()).toBe("absent"), 30_000);
    expect(told).toEqual(["added core", "deleted core"]);
    expect(cache.size).toBe(0);
  });
});
