import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { alive } from "./cache.ts";
import { startControlPlane } from "./control-plane.ts";
import type { ControlPlane, Part } from "./control-plane.ts";

let plane: ControlPlane;

beforeAll(async () => {
  plane = await startControlPlane({ controllers: true });
}, 1_800_000);
afterAll(() => plane?.stop());

const configMaps = "/api/v1/namespaces/default/configmaps";
const configMap = (name: string): unknown => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name } });

describe("who may do what", () => {
  test("the administrator may create, a stranger may not and is told so by RBAC", async () => {
    expect((await plane.call("POST", configMaps, configMap("admins"))).status).toBe(201);
    const stranger = await plane.callAs({ user: "jane", groups: ["raiders"] });
    const refused = await stranger("POST", configMaps, configMap("strangers"));
    expect(refused.status).toBe(403);
    expect(refused.body["message"]).toContain('User "jane" cannot create resource "configmaps"');
  });

  test("a service account may do what a RoleBinding grants it", async () => {
    const rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
    await plane.call("POST", `${rbac}/roles`, {
      metadata: { name: "writer" },
      rules: [{ apiGroups: [""], resources: ["configmaps"], verbs: ["create"] }],
    });
    const writer = await plane.callAs({ serviceAccount: { namespace: "default", name: "default" } });
    expect((await writer("POST", configMaps, configMap("early"))).status).toBe(403);
    await plane.call("POST", `${rbac}/rolebindings`, {
      metadata: { name: "writer" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "writer" },
      subjects: [{ kind: "ServiceAccount", name: "default", namespace: "default" }],
    });
    await expect.poll(async () => (await writer("POST", configMaps, configMap("granted"))).status).toBe(201);
  });
});

test("what an owner owned is collected when the owner is gone", async () => {
  const owner = await plane.call("POST", configMaps, configMap("owner"));
  const { uid } = owner.body["metadata"] as { uid: string };
  const owned = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: "owned",
      ownerReferences: [{ apiVersion: "v1", kind: "ConfigMap", name: "owner", uid }],
    },
  };
  await plane.call("POST", configMaps, owned);
  await plane.call("DELETE", `${configMaps}/owner`);
  await expect
    .poll(async () => (await plane.call("GET", `${configMaps}/owned`)).status, { timeout: 30_000 })
    .toBe(404);
});

test.each<Part>(["kube-apiserver", "etcd"])("what was written survives a crash of %s", async (part) => {
  await plane.call("POST", configMaps, configMap(`before-${part}`));
  await plane.kill(part);
  await plane.restart(part);
  await expect
    .poll(async () => (await plane.call("GET", `${configMaps}/before-${part}`)).status, { timeout: 30_000 })
    .toBe(200);
});

test("nothing outlives a test process that is killed", async () => {
  const program = `
    const { startControlPlane } = await import(${JSON.stringify(new URL("control-plane.ts", import.meta.url).href)});
    const plane = await startControlPlane();
    process.stdout.write(JSON.stringify({ folder: plane.kubeconfigPath, url: plane.url }));
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const said = await new Promise<Buffer>((resolve) => child.stdout.once("data", resolve));
  const { folder, url } = JSON.parse(said.toString()) as { folder: string; url: string };
  child.kill("SIGKILL");
  await vi.waitFor(
    async () => {
      await expect(fetch(url)).rejects.toThrow("fetch failed");
      expect(existsSync(dirname(folder))).toBe(false);
      expect(alive(child.pid ?? 0)).toBe(false);
    },
    { timeout: 20_000, interval: 100 },
  );
});
