import { afterAll, beforeAll, expect, test, vi } from "vitest";
import * as kinds from "../../operator/guild/resources.ts";
import type { Operator } from "../../operator/start.ts";
import { type Recording, startRecorded } from "./clients.ts";
import { type Players, databaseReady, everybodyPlays, makeGuild, makeToken } from "./players.ts";
import { type Scene, openScene } from "./scene.ts";
import { condition, failsFor, patience, reachesPhase, statusOf } from "./status.ts";

const space = "night-watch";
const backup = { objectStore: { bucket: "dkp-backups", secretRef: { name: "s3" } } };
let scene: Scene;
let operator: Operator;
let recorded: Recording;
let players: Players;

beforeAll(async () => {
  scene = await openScene({ cloudNativePg: true });
  await scene.namespace(space);
  await makeToken(scene, space);
  const s3 = { metadata: { name: "s3" }, stringData: { ACCESS_KEY_ID: "a", ACCESS_SECRET_KEY: "b" } };
  await scene.create(kinds.secrets, space, s3);
  ({ operator, ...recorded } = await startRecorded(scene));
  players = everybodyPlays(scene, space, "watch");
  await scene.create(kinds.guilds, space, makeGuild("watch", "920000000000000001"));
  await reachesPhase(scene, space, "watch", "Ready");
});

afterAll(async () => {
  await players?.stop();
  await operator?.stop();
  await scene?.stop();
  expect(recorded.forbidden).toEqual([]);
});

const spec = (fields: object) => scene.patch(kinds.guilds, space, "watch", { spec: fields });
const told = async () =>
  (await scene.get(kinds.clusters, space, "watch-db"))?.metadata.annotations?.["cnpg.io/hibernation"];
const replicas = async () => (await scene.part(kinds.deployments, space, "watch-bot"))["replicas"];

/** CloudNativePG: the instances are stopped. */
async function databaseSleeps(): Promise<void> {
  const lastTransitionTime = "2030-01-01T00:00:00Z";
  const conditions = [
    { type: "cnpg.io/hibernation", status: "True", reason: "Hibernated", message: "", lastTransitionTime },
    { type: "Ready", status: "False", reason: "x", message: "", lastTransitionTime },
  ];
  await scene.patch(
    kinds.clusters,
    space,
    "watch-db",
    { status: { conditions, readyInstances: 0 } },
    "status",
  );
}

async function wakesUp(): Promise<void> {
  await spec({ hibernate: false });
  await expect.poll(told, patience).toBeUndefined();
  await databaseReady(scene, space, "watch");
  await expect.poll(replicas, patience).toBe(2);
  await reachesPhase(scene, space, "watch", "Ready");
}

test("a guild that is put to sleep loses its pods first, then its PostgreSQL, counts as ready, and wakes up", async () => {
  await spec({ hibernate: true });
  await expect.poll(told, patience).toBe("on");
  expect(await replicas()).toBe(0);
  await reachesPhase(scene, space, "watch", "Hibernating");
  await databaseSleeps();
  await reachesPhase(scene, space, "watch", "Hibernated");
  expect(await condition(scene, space, "watch", "Ready")).toMatchObject({
    status: "True",
    reason: "Hibernated",
  });
  expect(await condition(scene, space, "watch", "Reconciling")).toMatchObject({ status: "False" });
  await vi.waitFor(async () => {
    const [written, read] = [recorded.writes.length, recorded.reads.length];
    await expect.poll(() => recorded.reads.length, patience).toBeGreaterThan(read + 6);
    expect(recorded.writes.slice(written)).toEqual([]);
  }, patience);
  await wakesUp();
});

/** A pod of the bot that its Deployment does not count any more and that may still write. */
const podThatEnds = {
  metadata: {
    name: "watch-bot-old",
    labels: {
      "app.kubernetes.io/name": "dkp-bot",
      "app.kubernetes.io/instance": "watch",
      "app.kubernetes.io/component": "bot",
    },
  },
  spec: { containers: [{ name: "bot", image: "bot" }], automountServiceAccountToken: false },
};

test("one that is backed up sleeps only when its last pod has ended and a last backup is complete", async () => {
  await scene.installBarmanCloud();
  await spec({ backup });
  const plugins = async () => (await scene.part(kinds.clusters, space, "watch-db"))["plugins"];
  await expect.poll(plugins, patience).toHaveLength(1);
  await scene.create(kinds.pods, space, podThatEnds);
  await spec({ hibernate: true });
  const last = async () => (await scene.list(kinds.backups, space))[0];
  await expect.poll(replicas, patience).toBe(0);
  const read = recorded.reads.length;
  await expect.poll(() => recorded.reads.length, patience).toBeGreaterThan(read + 6);
  expect(await last()).toBeUndefined();
  expect(await told()).toBeUndefined();
  await scene.remove(kinds.pods, space, podThatEnds.metadata.name);
  await expect.poll(last, patience).toMatchObject({
    spec: { cluster: { name: "watch-db" }, method: "plugin" },
  });
  const name = (await last())?.metadata.name ?? "";
  await scene.patch(
    kinds.backups,
    space,
    name,
    { status: { phase: "failed", error: "no bucket" } },
    "status",
  );
  expect(await failsFor(scene, space, "watch", "Ready", "LastBackupFailed")).toMatch(/no bucket/);
  expect(await told()).toBeUndefined();
  expect((await statusOf(scene, space, "watch")).phase).toBe("Stalled");
  await scene.patch(kinds.backups, space, name, { status: { phase: "completed", error: null } }, "status");
  await expect.poll(told, patience).toBe("on");
  expect(await scene.list(kinds.backups, space)).toHaveLength(1);
  await wakesUp();
});
