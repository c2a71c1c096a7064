import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as kinds from "../../operator/guild/resources.ts";
import type { Operator } from "../../operator/start.ts";
import { everybodyPlays, makeGuild, makeToken } from "./players.ts";
import { type Scene, openScene } from "./scene.ts";
import { patience, reachesPhase } from "./status.ts";

let scene: Scene;
let operator: Operator;

async function start(): Promise<void> {
  operator = scene.startOperator(await scene.operatorClient(), {
    recheckMs: 300,
    resyncMs: 500,
    secretMemoryMs: 0,
  });
}

beforeAll(async () => {
  scene = await openScene({ cloudNativePg: true });
  await start();
});

afterAll(async () => {
  await operator?.stop();
  await scene?.stop();
});

let counter = 0;
async function bringUp(deletionPolicy: string): Promise<{ namespace: string; guildId: string }> {
  counter += 1;
  const namespace = await scene.namespace(`space-${counter}`);
  const guildId = `4000000000000000${counter.toString().padStart(2, "0")}`;
  await makeToken(scene, namespace);
  await scene.create(kinds.guilds, namespace, makeGuild("watch", guildId, { deletionPolicy }));
  await ready(namespace);
  return { namespace, guildId };
}

async function ready(namespace: string): Promise<void> {
  const players = everybodyPlays(scene, namespace, "watch");
  await reachesPhase(scene, namespace, "watch", "Ready");
  await players.stop();
}

const guildOf = (namespace: string) => scene.get(kinds.guilds, namespace, "watch");
const uidOf = async (namespace: string) =>
  (await scene.get(kinds.clusters, namespace, "watch-db"))?.metadata.uid;
const passwordOf = async (namespace: string) =>
  (await scene.get(kinds.secrets, namespace, "watch-runtime"))?.["data"];

async function reasons(namespace: string): Promise<unknown[]> {
  const events = await scene.list({ ...kinds.pods, group: "events.k8s.io", plural: "events" }, namespace);
  return events.map((event) => event["reason"]);
}

describe("a guild that is deleted", () => {
  test("keeps its database and password by default, and another of its name and guildId takes them up", async () => {
    const { namespace, guildId } = await bringUp("Retain");
    const [uid, password] = [await uidOf(namespace), await passwordOf(namespace)];
    await scene.remove(kinds.guilds, namespace, "watch");
    await expect.poll(() => guildOf(namespace), patience).toBeUndefined();
    expect(await uidOf(namespace)).toBe(uid);
    await expect.poll(() => reasons(namespace), patience).toContain("DatabaseRetained");
    await scene.create(kinds.guilds, namespace, makeGuild("watch", guildId));
    await ready(namespace);
    expect(await uidOf(namespace)).toBe(uid);
    expect(await passwordOf(namespace)).toEqual(password);
  });

  test("with policy Delete waits for its database to be gone, and leaves nothing that nobody owns", async () => {
    const { namespace } = await bringUp("Delete");
    const finalizers = ["test.example/hold"];
    await scene.patch(kinds.clusters, namespace, "watch-db", { metadata: { finalizers } });
    await scene.remove(kinds.guilds, namespace, "watch");
    await reachesPhase(scene, namespace, "watch", "Deleting");
    expect(
      (await scene.get(kinds.clusters, namespace, "watch-db"))?.metadata.deletionTimestamp,
    ).toBeDefined();
    await scene.patch(kinds.clusters, namespace, "watch-db", { metadata: { finalizers: null } });
    await expect.poll(() => guildOf(namespace), patience).toBeUndefined();
    expect(await scene.get(kinds.secrets, namespace, "watch-runtime")).toBeUndefined();
    expect(await scene.get(kinds.networkPolicies, namespace, "watch-db")).toBeUndefined();
    await expect.poll(() => reasons(namespace), patience).toContain("DatabaseDeleted");
  });

  test("never deletes a database that is not its own", async () => {
    const { namespace } = await bringUp("Delete");
    await scene.patch(kinds.guilds, namespace, "watch", { spec: { suspend: true } });
    await reachesPhase(scene, namespace, "watch", "Suspended");
    await scene.patch(kinds.clusters, namespace, "watch-db", {
      metadata: { labels: { "dkp.dev/guild-id": "499999999999999999" } },
    });
    await scene.remove(kinds.guilds, namespace, "watch");
    await expect.poll(() => guildOf(namespace), patience).toBeUndefined();
    expect(await uidOf(namespace)).toBeDefined();
  });

  test("in a namespace that is being deleted is let go at once", async () => {
    const { namespace } = await bringUp("Delete");
    const finalizers = ["test.example/hold"];
    await scene.patch(kinds.clusters, namespace, "watch-db", { metadata: { finalizers } });
    await scene.plane.call("DELETE", `/api/v1/namespaces/${namespace}`);
    await scene.remove(kinds.guilds, namespace, "watch");
    await expect.poll(() => guildOf(namespace), patience).toBeUndefined();
  });
});

describe("a guild that is deleted while no operator runs", () => {
  test.each<[string, (namespace: string) => Promise<unknown>]>([
    ["one runs again", start],
    [
      "its finalizer is taken away by hand",
      (namespace) => scene.patch(kinds.guilds, namespace, "watch", { metadata: { finalizers: null } }),
    ],
  ])("waits until %s, and its database stays", async (_, remedy) => {
    const { namespace } = await bringUp("Retain");
    const uid = await uidOf(namespace);
    await operator.stop();
    await scene.remove(kinds.guilds, namespace, "watch");
    expect((await guildOf(namespace))?.metadata.deletionTimestamp).toBeDefined();
    await remedy(namespace);
    await expect.poll(() => guildOf(namespace), patience).toBeUndefined();
    expect(await uidOf(namespace)).toBe(uid);
  });
});
