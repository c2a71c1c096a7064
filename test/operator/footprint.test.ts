import { expect, test } from "vitest";
import { footprint } from "../../operator/guild/footprint.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";

const container = (cpu: string, memory: string) => ({ resources: { requests: { cpu, memory } } });

function child(kind: string, spec: object, annotations: Record<string, string> = {}): KubeObject {
  return { apiVersion: "v1", kind, metadata: { name: "x", annotations }, spec };
}

const bot = child("Deployment", {
  replicas: 2,
  template: { spec: { containers: [container("50m", "128Mi")] } },
});
const pooler = child("Pooler", {
  instances: 2,
  template: { spec: { containers: [container("0.1", "64Mi")] } },
});
const database = {
  instances: 3,
  resources: { requests: { cpu: "1", memory: "2Gi" } },
  storage: { size: "10Gi" },
};

test.each([
  ["nothing", [], { cpu: "0", memory: "0", storage: "0" }],
  ["a bot", [bot], { cpu: "100m", memory: "256Mi", storage: "0" }],
  ["a bot and its pooler", [bot, pooler], { cpu: "300m", memory: "384Mi", storage: "0" }],
  [
    "all of it",
    [bot, pooler, child("Cluster", database), child("Service", {})],
    { cpu: "3300m", memory: "6528Mi", storage: "30Gi" },
  ],
  [
    "a database that sleeps",
    [child("Cluster", database, { "cnpg.io/hibernation": "on" })],
    { cpu: "0", memory: "0", storage: "30Gi" },
  ],
  [
    "a database that archives",
    [
      child("Cluster", { ...database, plugins: [{ name: "barman", isWALArchiver: true }] }),
      child("ObjectStore", { instanceSidecarConfiguration: container("25m", "256Mi") }),
    ],
    { cpu: "3075m", memory: "6912Mi", storage: "30Gi" },
  ],
  [
    "a database with volumes of their own for its log",
    [child("Cluster", { instances: 1, storage: { size: "1Ti" }, walStorage: { size: "1Ti" } })],
    { cpu: "0", memory: "0", storage: "2Ti" },
  ],
])("the footprint of %s is what its pods request and its volumes", (_, children, expected) => {
  expect(footprint(children)).toEqual(expected);
});
