import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { parseAllDocuments } from "yaml";
import * as kinds from "../../operator/guild/resources.ts";
import { resourcePath } from "../../runtime/kube/object.ts";
import type { Call } from "../cluster/control-plane.ts";
import { type Scene, openScene } from "./scene.ts";

const collections: Record<string, string> = {
  ValidatingAdmissionPolicy: "validatingadmissionpolicies",
  ValidatingAdmissionPolicyBinding: "validatingadmissionpolicybindings",
};
let scene: Scene;
let operator: Call;

const dry = (path: string, call: Call = scene.plane.call) => call("DELETE", `${path}?dryRun=All`);
const clusterPath = (name: string) => resourcePath(kinds.clusters, { namespace: "raids", name });

beforeAll(async () => {
  scene = await openScene({ cloudNativePg: true });
  for (const file of ["keep-databases.yaml", "keep-namespaces.yaml"]) {
    const text = readFileSync(new URL(`../../config/admission/${file}`, import.meta.url), "utf8");
    for (const document of parseAllDocuments(text)) {
      const object = document.toJS() as { kind: string };
      const path = `/apis/admissionregistration.k8s.io/v1/${collections[object.kind]}`;
      const made = await scene.plane.call("POST", `${path}?fieldValidation=Strict`, object);
      expect(made.body["message"]).toBeUndefined();
    }
  }
  operator = await scene.plane.callAs({
    serviceAccount: { namespace: "dkp-system", name: "dkp-operator" },
  });
  await scene.create(kinds.namespaces, "", {
    metadata: { name: "raids", labels: { "dkp.dev/keep": "true" } },
  });
  const labels = { "app.kubernetes.io/managed-by": "dkp-operator", "dkp.dev/guild": "night" };
  const spec = { instances: 1, storage: { size: "1Gi" } };
  for (const metadata of [
    { name: "night-db", labels },
    { name: "spent-db", labels, annotations: { "dkp.dev/allow-delete": "true" } },
    { name: "another" },
  ]) {
    const cluster = { apiVersion: "postgresql.cnpg.io/v1", kind: "Cluster", metadata, spec };
    await scene.create(kinds.clusters, "raids", cluster);
  }
  // Policies reach the API server's admission a moment after they are made.
  for (const path of [clusterPath("night-db"), "/api/v1/namespaces/raids"])
    await vi.waitFor(async () => expect((await dry(path)).status).toBe(422), { timeout: 30_000 });
});

afterAll(() => scene?.stop());

describe("the guards of config/admission", () => {
  test("refuse to delete a guild's Cluster, and say how it is done", async () => {
    const { body } = await dry(clusterPath("night-db"));
    expect(body["message"]).toMatch(/delete the data of guild night: set spec.deletionPolicy/);
    expect(body["message"]).toContain(
      "kubectl annotate clusters.postgresql.cnpg.io night-db dkp.dev/allow-delete=true",
    );
  });

  test("let the operator delete it", async () => {
    expect((await dry(clusterPath("night-db"), operator)).status).toBe(200);
  });

  test("let anybody delete one that was released, and one that is no guild's", async () => {
    expect((await dry(clusterPath("spent-db"))).status).toBe(200);
    expect((await dry(clusterPath("another"))).status).toBe(200);
  });

  test("refuse to delete a namespace that is to be kept, until its label is taken off", async () => {
    const { body } = await dry("/api/v1/namespaces/raids");
    expect(body["message"]).toContain("kubectl label namespace raids dkp.dev/keep-");
    await scene.patch(kinds.namespaces, "", "raids", { metadata: { labels: { "dkp.dev/keep": null } } });
    await expect.poll(async () => (await dry("/api/v1/namespaces/raids")).status).toBe(200);
  });
});
