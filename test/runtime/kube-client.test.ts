import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { kubeClient, type KubeClient } from "../../runtime/kube/client.ts";
import { connectionFromKubeConfig, inClusterConnection } from "../../runtime/kube/config.ts";
import { lightKubeClient } from "../../runtime/kube/light-client.ts";
import { isKubeError, KubeError } from "../../runtime/kube/error.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { startControlPlane, type ControlPlane } from "../cluster/control-plane.ts";
import {
  adminClient,
  adminConnection,
  configMap,
  configMaps,
  freshNamespace,
  namespaces,
  secrets,
  type ConfigMap,
} from "./api.ts";
import { startProxy, type Proxy } from "./proxy.ts";

let plane: ControlPlane;
let proxy: Proxy;
let direct: KubeClient;
let client: KubeClient;
let namespace: string;

beforeAll(async () => {
  plane = await startControlPlane();
  proxy = await startProxy(plane);
  direct = adminClient(plane);
  client = adminClient(plane, proxy.url);
  namespace = await freshNamespace(direct);
}, 1_800_000);
afterEach(() => proxy.intercept(() => undefined));
afterAll(async () => {
  await client?.close();
  await direct?.close();
  await proxy?.close();
  await plane?.stop();
});

/** Answers the first `count` matching requests so, and lets the rest pass. */
function failFirst(count: number, answer: Parameters<Proxy["intercept"]>[0]): () => number {
  let seen = 0;
  proxy.intercept((call) => {
    const interception = answer(call);
    if (interception === undefined) return undefined;
    seen += 1;
    return seen <= count ? interception : undefined;
  });
  return () => seen;
}

const failure = (error: unknown): KubeError => {
  if (error instanceof KubeError) return error;
  throw new Error("not a KubeError", { cause: error });
};

describe("reading and writing", () => {
  test("applies what is missing, finds it, changes it and removes it", async () => {
    const applied = await client.apply<ConfigMap>(configMaps, configMap(namespace, "life", { a: "1" }));
    expect(applied.metadata.uid).toBeTruthy();
    await client.apply(configMaps, configMap(namespace, "life", { b: "2" }));
    const found = await client.get<ConfigMap>(configMaps, { namespace, name: "life" });
    expect(found?.data).toEqual({ b: "2" });
    expect(await client.remove(configMaps, { namespace, name: "life" })).toBe(true);
    expect(await client.remove(configMaps, { namespace, name: "life" })).toBe(false);
    expect(await client.get(configMaps, { namespace, name: "life" })).toBeUndefined();
  });

  test("owns what it applies under its field manager, and takes over only when told to", async () => {
    await client.apply(configMaps, configMap(namespace, "owned", { a: "1" }));
    const other = { fieldManager: "somebody-else", force: false };
    const refused = await client
      .apply(configMaps, configMap(namespace, "owned", { a: "2" }), other)
      .catch(failure);
    expect(refused).toMatchObject({ status: 409, reason: "Conflict" });
    await client.apply(configMaps, configMap(namespace, "owned", { a: "2" }), { ...other, force: true });
    expect((await client.get<ConfigMap>(configMaps, { namespace, name: "owned" }))?.data).toEqual({ a: "2" });
  });

  test("writes nothing in a dry run", async () => {
    await client.apply(configMaps, configMap(namespace, "rehearsal"), { dryRun: true });
    expect(await client.get(configMaps, { namespace, name: "rehearsal" })).toBeUndefined();
  });

  test("merges a patch and removes a key by null", async () => {
    await client.create(configMaps, configMap(namespace, "merged", { a: "1", b: "2" }));
    const patched = await client.mergePatch<ConfigMap>(
      configMaps,
      { namespace, name: "merged" },
      { data: { a: null, c: "3" } },
    );
    expect(patched.data).toEqual({ b: "2", c: "3" });
  });

  test("replaces only the version it has read", async () => {
    const first = await client.create<ConfigMap>(configMaps, configMap(namespace, "swapped", { a: "1" }));
    await client.replace(configMaps, { ...first, data: { a: "2" } });
    await expect(client.replace(configMaps, { ...first, data: { a: "3" } })).rejects.toMatchObject({
      status: 409,
    });
  });

  test("applies the status without touching the spec", async () => {
    const applied = await client.applyStatus<KubeObject & { status: { phase: string } }>(namespaces, {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: namespace },
      status: {
        conditions: [
          {
            type: "Odd",
            status: "True",
            reason: "Test",
            message: "",
            lastTransitionTime: "2026-01-01T00:00:00Z",
          },
        ],
      },
    });
    expect(applied.status).toMatchObject({ phase: "Active", conditions: [{ type: "Odd" }] });
  });

  test("does not remove an object that was recreated meanwhile", async () => {
    const old = await client.create(configMaps, configMap(namespace, "reborn"));
    await client.remove(configMaps, { namespace, name: "reborn" });
    await client.create(configMaps, configMap(namespace, "reborn"));
    const ref = { namespace, name: "reborn" };
    await expect(client.remove(configMaps, ref, { uid: old.metadata.uid ?? "" })).rejects.toMatchObject({
      status: 409,
    });
    expect(await client.get(configMaps, ref)).toBeDefined();
  });

  test("lists page by page, with kind and version in each item", async () => {
    const place = await freshNamespace(direct);
    for (const name of ["a", "b", "c"]) await client.create(configMaps, configMap(place, name));
    const first = await client.list(configMaps, { namespace: place, limit: 2 });
    const second = await client.list(configMaps, { namespace: place, limit: 2, continue: first.continue });
    expect(first.items.map((item) => item.metadata.name)).toEqual(["a", "b"]);
    expect(first.items[0]).toMatchObject({ apiVersion: "v1", kind: "ConfigMap" });
    expect(second.items.map((item) => item.metadata.name)).toEqual(["c"]);
    expect(second.continue).toBeUndefined();
  });
});

describe.each([
  ["undici", kubeClient],
  ["Node's own HTTP", lightKubeClient],
] as const)("failures on the way over %s", (transport, make) => {
  const suffix = transport === "undici" ? "u" : "n";
  let usual: KubeClient;
  beforeAll(() => {
    usual = client;
    client = adminClient(plane, proxy.url, {}, make);
  });
  afterAll(async () => {
    await client.close();
    client = usual;
  });

  test("waits as long as a 429 asks and then succeeds, for a create too", async () => {
    const seen = failFirst(2, ({ method }) =>
      method === "POST" ? { status: 429, headers: { "retry-after": "1" } } : undefined,
    );
    const startedAtMs = performance.now();
    await client.create(configMaps, configMap(namespace, `patient-${suffix}`));
    // Twice a second, less what timers are early.
    expect(performance.now() - startedAtMs).toBeGreaterThan(1_900);
    expect(seen()).toBe(3);
  });

  test("repeats an apply over resets and 503s", async () => {
    failFirst(1, ({ method }) => (method === "PATCH" ? { reset: true } : undefined));
    await client.apply(configMaps, configMap(namespace, "stubborn", { a: "1" }));
    failFirst(2, ({ method }) => (method === "PATCH" ? { status: 503 } : undefined));
    await client.apply(configMaps, configMap(namespace, "stubborn", { a: "2" }));
    expect((await direct.get<ConfigMap>(configMaps, { namespace, name: "stubborn" }))?.data).toEqual({
      a: "2",
    });
  });

  test("does not repeat a create whose fate is unknown", async () => {
    const seen = failFirst(9, ({ method }) => (method === "POST" ? { reset: true } : undefined));
    const error = await client.create(configMaps, configMap(namespace, `once-${suffix}`)).catch(failure);
    expect(error).toMatchObject({ status: 0, reason: "Unreachable" });
    expect(seen()).toBe(1);
  });

  test("gives up after a bounded number of attempts and says what it tried", async () => {
    const seen = failFirst(99, () => ({
      status: 503,
      body: { message: "no leader", reason: "ServiceUnavailable" },
    }));
    const error = await client.get(configMaps, { namespace, name: "x" }).catch(failure);
    expect(seen()).toBe(5);
    expect(error).toMatchObject({ status: 503, reason: "ServiceUnavailable" });
    expect(error).toHaveProperty(
      "message",
      `GET /api/v1/namespaces/${namespace}/configmaps/x: 503 ServiceUnavailable: no leader`,
    );
  });

  test("times out on an answer that does not come", async () => {
    proxy.intercept(() => ({ delayMs: 60_000 }));
    const options = { timeoutMs: 200, attempts: 1 };
    const error = await client.get(configMaps, { namespace, name: "x" }, options).catch(failure);
    expect(error).toMatchObject({ status: 0, reason: "Timeout" });
  });

  test("stops at once when its caller gives up", async () => {
    proxy.intercept(() => ({ delayMs: 60_000 }));
    const signal = AbortSignal.timeout(50);
    const error = await client.get(configMaps, { namespace, name: "x" }, { signal }).catch(failure);
    expect(isKubeError(error, 0)).toBe(true);
  });

  test("counts every attempt by method and status", async () => {
    const counted: string[] = [];
    const watched = adminClient(plane, proxy.url, {
      observe: ({ method, status }) => counted.push(`${method} ${status}`),
    });
    failFirst(1, () => ({ status: 503 }));
    await watched.get(configMaps, { namespace, name: "nothing" });
    await watched.close();
    expect(counted).toEqual(["GET 503", "GET 404"]);
  });
});

describe("credentials", () => {
  test("a service account's token is read again when the server refuses it", async () => {
    const folder = await mkdtemp(join(tmpdir(), "dkp-service-account-"));
    await writeFile(join(folder, "ca.crt"), plane.ca);
    await writeFile(join(folder, "namespace"), "dkp-system\n");
    await writeFile(join(folder, "token"), "expired");
    const { hostname, port } = new URL(plane.url);
    const connection = inClusterConnection({ serviceAccountDir: folder, host: hostname, port });
    expect(connection.namespace).toBe("dkp-system");
    const pod = kubeClient({ connection, fieldManager: "pod", userAgent: "pod" });
    const refused = await pod.get(configMaps, { namespace, name: "x" }).catch(failure);
    expect(refused).toMatchObject({ status: 401, reason: "Unauthorized" });
    await writeFile(join(folder, "token"), `${plane.adminToken}\n`);
    expect(await pod.get(configMaps, { namespace, name: "x" })).toBeUndefined();
    await pod.close();
  });

  test("a kubeconfig with client certificates is enough", async () => {
    const connection = await connectionFromKubeConfig(plane.kubeconfigPath);
    const person = kubeClient({ connection, fieldManager: "person", userAgent: "person" });
    expect(await person.raw("/readyz")).toBe("ok");
    await person.create(configMaps, configMap(namespace, "by-person"));
    await person.close();
  });

  test("neither a token nor the content of a Secret gets into an error", async () => {
    const secret = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { namespace, name: "s" },
      type: "Opaque",
      data: { key: "hunter2!" },
    };
    const invalid = await client.apply(secrets, secret).catch(failure);
    expect(invalid).toHaveProperty("message", expect.stringContaining("what the server said is left out"));
    const unreachable = kubeClient({
      connection: adminConnection(plane, "http://127.0.0.1:1"),
      fieldManager: "x",
      userAgent: "x",
      attempts: 1,
    });
    const error = await unreachable.get(configMaps, { namespace, name: "x" }).catch(failure);
    const told = JSON.stringify([invalid, error], (_, value: unknown) =>
      value instanceof Error ? [value.message, value.stack, value.cause, Object.entries(value)] : value,
    );
    expect(told).not.toContain("hunter2");
    expect(told).not.toContain(plane.adminToken);
    await unreachable.close();
  });
});
