import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as kinds from "../../operator/guild/resources.ts";
import { eventResource } from "../../runtime/kube/event.ts";
import type { Operator } from "../../operator/start.ts";
import { startRecorded } from "./clients.ts";
import { everybodyPlays, jobsEnd, makeGuild, makeToken, sharedApplied } from "./players.ts";
import { backup, makeCredentials } from "./restore-scene.ts";
import { type Scene, openScene } from "./scene.ts";
import { condition, patience, reachesPhase } from "./status.ts";

let scene: Scene;
let operator: Operator;

async function start(): Promise<void> {
  ({ operator } = await startRecorded(scene));
}

beforeAll(async () => {
  scene = await openScene({ cloudNativePg: true });
  await scene.installBarmanCloud();
  await start();
});

afterAll(async () => {
  await operator?.stop();
  await scene?.stop();
});

let counter = 0;
async function bringUp(
  deletionPolicy: string,
  spec: Record<string, unknown> = {},
): Promise<{ namespace: string; guildId: string }> {
  counter += 1;
  const namespace = await scene.namespace(`space-${counter}`);
  const guildId = `4000000000000000${counter.toString().padStart(2, "0")}`;
  await makeToken(scene, namespace);
  await scene.create(kinds.guilds, namespace, makeGuild("watch", guildId, { deletionPolicy, ...spec }));
  await ready(namespace);
  return { namespace, guildId };
}

async function ready(namespace: string): Promise<void> {
  const players = everybodyPlays(scene, namespace, "watch");
  await reachesPhase(scene, namespace, "watch", "Ready");
  await players.stop();
}

/** Brings up a guild whose Cluster is backed up. */
async function bringUpBackedUp(deletionPolicy: string, spec: Record<string, unknown> = {}) {
  const place = await bringUp(deletionPolicy, { backup, ...spec });
  await makeCredentials(scene, place.namespace);
  await archives(place.namespace);
  return place;
}

async function archives(namespace: string): Promise<void> {
  const plugins = async () => (await scene.part(kinds.clusters, namespace, "watch-db"))["plugins"];
  await expect.poll(plugins, patience).toHaveLength(1);
}

/** Waits until a Backup is begun; answers its name. */
async function lastBackup(namespace: string): Promise<string> {
  const begun = async () => {
    const all = await scene.list(kinds.backups, namespace);
    return all.filter((live) => live["status"] === undefined).map(({ metadata }) => metadata.name);
  };
  await expect.poll(begun, patience).toHaveLength(1);
  const [name = ""] = await begun();
  return name;
}

const guildOf = (namespace: string) => scene.get(kinds.guilds, namespace, "watch");
const guestOf = (namespace: string) => scene.get(kinds.guilds, namespace, "guest");
const uidOf = async (namespace: string) =>
  (await scene.get(kinds.clusters, namespace, "watch-db"))?.metadata.uid;
const passwordOf = async (namespace: string) =>
  (await scene.get(kinds.secrets, namespace, "watch-runtime"))?.["data"];

async function reasons(namespace: string): Promise<unknown[]> {
  const events = await scene.list(eventResource, namespace);
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

describe("a guild that is deleted and whose database is", () => {
  const shared = ["guest-db", "guest-db-owner", "guest-db-bot"] as const;
  const objects = (namespace: string) =>
    Promise.all(
      shared.map((name, index) =>
        scene.get(index === 0 ? kinds.databases : kinds.databaseRoles, namespace, name),
      ),
    );

  async function guest(): Promise<string> {
    counter += 1;
    const namespace = await scene.namespace(`space-${counter}`);
    await makeToken(scene, namespace);
    const database = { mode: "shared", clusterRef: { name: "common" } };
    const guildId = `4000000000000000${counter.toString().padStart(2, "0")}`;
    await scene.create(kinds.guilds, namespace, makeGuild("guest", guildId, { database }));
    await expect.poll(() => objects(namespace), patience).not.toContain(undefined);
    await sharedApplied(scene, namespace);
    const job = async () => (await scene.list(kinds.jobs, namespace)).length;
    await expect.poll(job, patience).toBe(1);
    await jobsEnd(scene, namespace);
    await expect.poll(() => scene.get(kinds.deployments, namespace, "guest-bot"), patience).toBeDefined();
    return namespace;
  }

  test("in a shared Cluster leaves it there by default, with its roles and passwords", async () => {
    const namespace = await guest();
    await scene.remove(kinds.guilds, namespace, "guest");
    await expect.poll(() => guestOf(namespace), patience).toBeUndefined();
    expect(await objects(namespace)).not.toContain(undefined);
    expect(await scene.get(kinds.secrets, namespace, "guest-owner")).toBeDefined();
  });

  test("in a shared Cluster has it dropped with policy Delete: the bot goes first, then the database, then its roles", async () => {
    const namespace = await guest();
    const metadata = { finalizers: ["cnpg.io/deleteDatabase"] };
    await scene.patch(kinds.databases, namespace, "guest-db", { metadata });
    await operator.stop();
    // Asked for at the last moment, so that only the farewell can tell CloudNativePG.
    await scene.patch(kinds.guilds, namespace, "guest", { spec: { deletionPolicy: "Delete" } });
    await scene.remove(kinds.guilds, namespace, "guest");
    await start();
    await reachesPhase(scene, namespace, "guest", "Deleting");
    const isBeingDropped = async () => {
      const [database] = await objects(namespace);
      return [database?.metadata.deletionTimestamp !== undefined, database?.["spec"]];
    };
    await expect.poll(isBeingDropped, patience).toMatchObject([true, { databaseReclaimPolicy: "delete" }]);
    expect(await scene.get(kinds.deployments, namespace, "guest-bot")).toBeUndefined();
    const [, owner, runtime] = await objects(namespace);
    expect([owner?.metadata.deletionTimestamp, runtime?.metadata.deletionTimestamp]).toEqual([
      undefined,
      undefined,
    ]);
    await scene.patch(kinds.databases, namespace, "guest-db", { metadata: { finalizers: null } });
    await expect.poll(() => guestOf(namespace), patience).toBeUndefined();
    expect(await objects(namespace)).toEqual([undefined, undefined, undefined]);
    for (const secret of ["guest-owner", "guest-runtime"])
      expect(await scene.get(kinds.secrets, namespace, secret)).toBeUndefined();
  });

  test("somebody else's is let go at once, whatever its policy", async () => {
    counter += 1;
    const namespace = await scene.namespace(`space-${counter}`);
    await makeToken(scene, namespace);
    const database = { mode: "external", secretRef: { name: "elsewhere" } };
    const spec = { database, deletionPolicy: "Delete" };
    await scene.create(kinds.guilds, namespace, makeGuild("guest", "400000000000000099", spec));
    await reachesPhase(scene, namespace, "guest", "Pending");
    await scene.remove(kinds.guilds, namespace, "guest");
    await expect.poll(() => guestOf(namespace), patience).toBeUndefined();
  });
});

const annotations = async (namespace: string) =>
  (await scene.get(kinds.clusters, namespace, "watch-db"))?.metadata.annotations ?? {};

describe("a guild that is deleted with a time to keep its database", () => {
  const retention = { resources: "1h", volumes: "2d" };

  test("goes, its database is stopped and marked, and one that is declared anew takes it up and cancels that", async () => {
    const { namespace, guildId } = await bringUp("Delete", { retention });
    const uid = await uidOf(namespace);
    await scene.remove(kinds.guilds, namespace, "watch");
    await expect.poll(() => guildOf(namespace), patience).toBeUndefined();
    const marks = await annotations(namespace);
    expect(marks["cnpg.io/hibernation"]).toBe("on");
    const days = (Date.parse(marks["dkp.dev/delete-after"] ?? "") - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(1.9);
    expect(days).toBeLessThanOrEqual(2);
    await scene.create(kinds.guilds, namespace, makeGuild("watch", guildId));
    await ready(namespace);
    expect(await uidOf(namespace)).toBe(uid);
    expect(Object.keys(await annotations(namespace))).not.toContain("dkp.dev/delete-after");
    expect(Object.keys(await annotations(namespace))).not.toContain("cnpg.io/hibernation");
  });

  test.each([
    ["Delete", "its ObjectStore too", []],
    ["Snapshot", "but for the ObjectStore of its last backup", ["watch-backups"]],
  ])("is removed with all that it left when the time is over, under %s %s", async (policy, _, stores) => {
    const { namespace } = await bringUpBackedUp(policy, { retention });
    const { metadata, ...cluster } = (await scene.get(kinds.clusters, namespace, "watch-db")) ?? {};
    // As a restore leaves it.
    const another = { ...cluster, metadata: { name: "watch-db-1", labels: metadata?.labels } };
    await scene.create(kinds.clusters, namespace, another);
    await scene.remove(kinds.guilds, namespace, "watch");
    if (policy === "Snapshot")
      await scene.patch(kinds.backups, namespace, await lastBackup(namespace), completed, "status");
    await expect.poll(() => guildOf(namespace), patience).toBeUndefined();
    expect(await scene.list(kinds.objectStores, namespace)).toHaveLength(1);
    // By an operator that starts later.
    await operator.stop();
    const marks = { "dkp.dev/delete-after": "2020-01-01T00:00:00Z" };
    for (const name of ["watch-db", "watch-db-1"])
      await scene.patch(kinds.clusters, namespace, name, { metadata: { annotations: marks } });
    await start();
    await expect.poll(() => scene.list(kinds.clusters, namespace), patience).toEqual([]);
    expect(await scene.get(kinds.secrets, namespace, "watch-runtime")).toBeUndefined();
    expect(await scene.get(kinds.networkPolicies, namespace, "watch-db")).toBeUndefined();
    const left = await scene.list(kinds.objectStores, namespace);
    expect(left.map((store) => store.metadata.name)).toEqual(stores);
  });
});

const completed = { status: { phase: "completed", error: null } };

describe("a guild that is deleted with policy Snapshot", () => {
  test("stops its bot, waits for a last backup, and says why there is none", async () => {
    const { namespace } = await bringUpBackedUp("Snapshot");
    await scene.remove(kinds.guilds, namespace, "watch");
    const name = await lastBackup(namespace);
    expect(await scene.get(kinds.deployments, namespace, "watch-bot")).toBeUndefined();
    const failed = { status: { phase: "failed", error: "no bucket" } };
    await scene.patch(kinds.backups, namespace, name, failed, "status");
    const said = async () => (await condition(scene, namespace, "watch", "Ready"))?.message;
    await expect.poll(said, patience).toContain(`Backup ${name} failed (no bucket): mend it`);
    const uid = await uidOf(namespace);
    expect(uid).toBeDefined();
    // The record goes with its Cluster, as those of scheduled backups do.
    const [owner] = (await scene.get(kinds.backups, namespace, name))?.metadata.ownerReferences ?? [];
    expect(owner).toMatchObject({ kind: "Cluster", name: "watch-db", uid });
    await scene.patch(kinds.backups, namespace, name, completed, "status");
    await expect.poll(() => guildOf(namespace), patience).toBeUndefined();
    expect(await uidOf(namespace)).toBeUndefined();
  });

  test("takes another last backup when it is declared anew and deleted again", async () => {
    const spec = { backup, deletionPolicy: "Snapshot", retention: { volumes: "1d" } };
    const { namespace, guildId } = await bringUpBackedUp("Snapshot", spec);
    const deletes = async () => {
      await scene.remove(kinds.guilds, namespace, "watch");
      const name = await lastBackup(namespace);
      await scene.patch(kinds.backups, namespace, name, completed, "status");
      await expect.poll(() => guildOf(namespace), patience).toBeUndefined();
      return name;
    };
    const before = await deletes();
    await scene.create(kinds.guilds, namespace, makeGuild("watch", guildId, spec));
    await ready(namespace);
    expect(await deletes()).not.toBe(before);
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
