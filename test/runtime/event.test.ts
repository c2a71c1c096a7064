import { afterAll, beforeAll, expect, test } from "vitest";
import type { KubeClient } from "../../runtime/kube/client.ts";
import { eventRecorder, eventResource } from "../../runtime/kube/event.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { startControlPlane, type ControlPlane } from "../cluster/control-plane.ts";
import { adminClient, adminConnection, configMap, configMaps, freshNamespace, silent } from "./api.ts";

type Event = KubeObject & { note: string; reason: string; series?: { count: number } };

let plane: ControlPlane;
let client: KubeClient;

beforeAll(async () => {
  plane = await startControlPlane();
  client = adminClient(plane);
}, 1_800_000);
afterAll(async () => {
  await client?.close();
  await plane?.stop();
});

const recorder = (from: KubeClient) =>
  eventRecorder({ client: from, component: "dkp.dev/operator", instance: "operator-0", log: silent });

async function subject(): Promise<{ namespace: string; object: KubeObject }> {
  const namespace = await freshNamespace(client);
  return { namespace, object: await client.create(configMaps, configMap(namespace, "guild")) };
}

test("writes an event about the object", async () => {
  const { namespace, object } = await subject();
  const events1 = recorder(client);
  events1.record(object, { type: "Warning", reason: "SecretMissing", message: "m".repeat(2_000) });
  await events1.flush();
  const { items } = await client.list<Event>(eventResource, { namespace });
  expect(items).toHaveLength(1);
  expect(items[0]).toMatchObject({
    type: "Warning",
    reason: "SecretMissing",
    action: "Reconcile",
    note: "m".repeat(1_024),
    reportingController: "dkp.dev/operator",
    reportingInstance: "operator-0",
    regarding: { kind: "ConfigMap", name: "guild", namespace, uid: object.metadata.uid },
  });
});

test("a repeated event becomes a series instead of another event", async () => {
  const { namespace, object } = await subject();
  const one = recorder(client);
  for (let count = 0; count < 5; count++)
    one.record(object, { type: "Normal", reason: "Waiting", message: "for the database" });
  one.record(object, { type: "Normal", reason: "Waiting", message: "for something else" });
  await one.flush();
  const { items } = await client.list<Event>(eventResource, { namespace });
  expect(items).toHaveLength(2);
  expect(items.find((item) => item.note === "for the database")?.series?.count).toBe(2);
});

test("a flood about one object is cut off, and other objects are still heard", async () => {
  const { namespace, object } = await subject();
  const other = await client.create(configMaps, configMap(namespace, "other"));
  const one = recorder(client);
  for (let count = 0; count < 100; count++)
    one.record(object, { type: "Normal", reason: "Noise", message: `number ${count}` });
  one.record(other, { type: "Normal", reason: "Quiet", message: "still here" });
  await one.flush();
  const { items } = await client.list<Event>(eventResource, { namespace });
  expect(items.filter((item) => item.reason === "Noise")).toHaveLength(25);
  expect(items.filter((item) => item.reason === "Quiet")).toHaveLength(1);
});

test("of what is told about many objects at once nothing is lost", { timeout: 60_000 }, async () => {
  const { namespace, object } = await subject();
  const one = recorder(client);
  const names = Array.from({ length: 1_500 }, (_, index) => `guild-${index}`);
  for (const name of names)
    one.record(
      { ...object, metadata: { namespace, name, uid: name } },
      { type: "Normal", reason: "Ready", message: "The bot runs" },
    );
  await one.flush();
  const { items } = await client.list<Event & { regarding: { name: string } }>(eventResource, { namespace });
  expect(items.map(({ regarding }) => regarding.name).toSorted()).toEqual(names.toSorted());
});

test("never throws, even when nobody listens", async () => {
  const { object } = await subject();
  const deaf = adminClient(plane, undefined, {
    connection: adminConnection(plane, "http://127.0.0.1:1"),
    attempts: 1,
  });
  const one = recorder(deaf);
  one.record(object, { type: "Normal", reason: "Lost", message: "unheard" });
  await one.flush();
  await deaf.close();
});
