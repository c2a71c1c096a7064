import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { parse } from "yaml";
import * as kinds from "../../operator/guild/resources.ts";
import type { Operator } from "../../operator/start.ts";
import { type Recording, startRecorded } from "./clients.ts";
import { type Players, makeGuild, makeToken } from "./players.ts";
import {
  askFor,
  backup,
  hoursAgo,
  ledger,
  makeCredentials,
  officerConfirms,
  restoreOf,
  restoreReaches,
  restoringPlayers,
} from "./restore-scene.ts";
import { type Scene, openScene } from "./scene.ts";
import { condition, patience, reachesPhase, statusOf } from "./status.ts";

const space = "night-watch";
const controls = { recovers: false, backsUp: false };
let scene: Scene;
let recorded: Recording;
let operator: Operator;
let players: Players;

const reaches = (name: string, phase: string, reason?: string) =>
  restoreReaches(scene, space, name, phase, reason);
const cluster = (name: string) => scene.get(kinds.clusters, space, name);
const eventually = (expectation: () => Promise<void>) => vi.waitFor(expectation, patience);

beforeAll(async () => {
  scene = await openScene({ cloudNativePg: true });
  await scene.installBarmanCloud();
  await scene.namespace(space);
  await makeToken(scene, space);
  await makeCredentials(scene, space);
  ({ operator, ...recorded } = await startRecorded(scene));
  players = restoringPlayers(scene, space, controls);
  await scene.create(kinds.guilds, space, makeGuild("watch", "920000000000000001", { backup }));
  await scene.create(kinds.guilds, space, {
    ...makeGuild("plain", "920000000000000002", {
      discord: { tokenSecretRef: { name: "discord", key: "another" } },
    }),
  });
  await reachesPhase(scene, space, "watch", "Ready");
  await eventually(async () => {
    expect(await condition(scene, space, "watch", "BackupReady")).toMatchObject({ status: "True" });
  });
});

afterAll(async () => {
  await players?.stop();
  await operator?.stop();
  await scene?.stop();
});

test.each([
  ["in-the-future", hoursAgo(-2), "watch", "Failed", "TargetInFuture", /yet to come/],
  ["too-early", hoursAgo(9), "watch", "Failed", "TargetTooEarly", /before .*Z, the earliest time/],
  ["without-backups", hoursAgo(1), "plain", "Failed", "BackupsNotConfigured", /spec.backup/],
  ["of-nobody", hoursAgo(1), "nobody", "Pending", "GuildNotFound", /no DkpGuild nobody/],
])("a restore %s is refused in a sentence", async (name, target, guild, phase, reason, sentence) => {
  await askFor(scene, space, name, target, guild);
  expect(await reaches(name, phase, reason)).toMatch(sentence);
  const { conditions } = await restoreOf(scene, space, name);
  expect(conditions?.find(({ type }) => type === "Stalled")?.status).toBe("True");
  await scene.remove(kinds.restores, space, name);
});

describe("a restore", () => {
  const target = hoursAgo(1);

  test("takes a last backup of the Cluster that serves, then recovers another one beside it; the bot goes on", async () => {
    await askFor(scene, space, "before", target);
    await reaches("before", "Recovering", "BackingUp");
    const [last] = await scene.list(kinds.backups, space);
    expect(last?.["spec"]).toMatchObject({ cluster: { name: "watch-db" }, method: "plugin" });
    expect(await cluster("watch-db-1")).toBeUndefined();
    controls.backsUp = true;
    await reaches("before", "Recovering");
    const old = ((await cluster("watch-db"))?.["spec"] ?? {}) as { plugins: { parameters: object }[] };
    const made = (await cluster("watch-db-1"))?.["spec"] as typeof old & Record<string, unknown>;
    expect(made).toMatchObject({
      bootstrap: {
        recovery: { source: "origin", database: "dkp", owner: "dkp", recoveryTarget: { targetTime: target } },
      },
      externalClusters: [
        {
          name: "origin",
          plugin: { name: "barman-cloud.cloudnative-pg.io", parameters: old.plugins[0]?.parameters },
        },
      ],
    });
    expect(made.plugins[0]?.parameters).not.toEqual(old.plugins[0]?.parameters);
    expect(await scene.get(kinds.networkPolicies, space, "watch-db-1")).toBeDefined();
    await reachesPhase(scene, space, "watch", "Restoring");
    expect(await scene.part(kinds.deployments, space, "watch-bot")).toMatchObject({ replicas: 2 });
  });

  test("that comes second waits for the first", async () => {
    await askFor(scene, space, "second");
    expect(await reaches("second", "Pending", "Queued")).toMatch(/DkpRestore before .* comes first/);
    await scene.remove(kinds.restores, space, "second");
  });

  test("stops the bot to the last pod before the new Cluster serves", async () => {
    // A pod that does not end; without a kubelet nobody else makes or ends one.
    const labels = { "app.kubernetes.io/name": "dkp-bot", "app.kubernetes.io/instance": "watch" };
    await scene.create(kinds.pods, space, {
      metadata: { name: "watch-bot-0", labels },
      spec: { containers: [{ name: "bot", image: "dkp-bot:1" }] },
    });
    controls.recovers = true;
    await reaches("before", "CuttingOver", "StoppingBot");
    await eventually(async () => {
      expect(await scene.part(kinds.deployments, space, "watch-bot")).toMatchObject({ replicas: 0 });
      expect(await condition(scene, space, "watch", "Ready")).toMatchObject({
        status: "False",
        reason: "Restoring",
      });
    });
    expect((await cluster("watch-db-1"))?.metadata.annotations).not.toHaveProperty("dkp.dev/serving");
    await scene.remove(kinds.pods, space, "watch-bot-0");
    await reaches("before", "AwaitingConfirmation");
  });

  test("moves the bot to the new Cluster, and tells it from where and how far back", async () => {
    expect((await cluster("watch-db"))?.metadata.annotations).toHaveProperty("dkp.dev/retired");
    const pods = JSON.stringify(await scene.part(kinds.deployments, space, "watch-bot"));
    expect(pods).toContain("watch-db-1-rw.night-watch.svc");
    expect(pods).toMatch(/"replicas":2/);
    const data = await scene.part(kinds.configMaps, space, "watch-config", "data");
    const id = (await scene.get(kinds.restores, space, "before"))?.metadata.uid;
    expect(parse(String(data["config.yaml"]))).toMatchObject({
      restore: { id, target, from: "watch-db", head: ledger },
    });
    const jobs = await scene.list(kinds.jobs, space);
    expect(jobs.filter(({ metadata }) => metadata.name.startsWith("watch-migrate"))).toHaveLength(1);
    expect(await statusOf(scene, space, "watch")).toMatchObject({
      phase: "Restoring",
      database: { cluster: "watch-db-1" },
    });
    await eventually(async () => {
      const scheduled = await scene.list(kinds.scheduledBackups, space);
      expect(scheduled.map(({ metadata }) => metadata.name)).toEqual(["watch-db-1-daily"]);
    });
  });

  test("is completed when an officer has confirmed", async () => {
    await officerConfirms(scene, space, "before");
    await reaches("before", "Completed");
    const { completedAt, startedAt, cluster: now, from } = await restoreOf(scene, space, "before");
    expect({ now, from }).toEqual({ now: "watch-db-1", from: "watch-db" });
    expect(Date.parse(completedAt ?? "")).toBeGreaterThanOrEqual(Date.parse(startedAt ?? ""));
    await reachesPhase(scene, space, "watch", "Ready");
  });

  test("that is deleted afterwards changes nothing, and neither it nor a new operator writes", async () => {
    await scene.remove(kinds.restores, space, "before");
    await operator.stop();
    ({ operator, ...recorded } = await startRecorded(scene));
    await vi.waitFor(() => expect(recorded.reads.length).toBeGreaterThan(30), patience);
    const written = recorded.writes.filter(({ kind, name }) => kind !== "Event" && name.startsWith("watch"));
    expect(written).toEqual([]);
    expect(await statusOf(scene, space, "watch")).toMatchObject({
      phase: "Ready",
      database: { cluster: "watch-db-1" },
    });
  });
});

describe("a restore that cannot be done", () => {
  test("fails and leaves the guild where it was, and goes away with what it made", async () => {
    controls.recovers = false;
    await askFor(scene, space, "failing");
    await reaches("failing", "Recovering");
    await scene.create(kinds.jobs, space, {
      metadata: { name: "watch-db-2-1-full-recovery" },
      spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "x", image: "x" }] } } },
    });
    await scene.patch(kinds.jobs, space, "watch-db-2-1-full-recovery", { status: { failed: 3 } }, "status");
    expect(await reaches("failing", "Failed", "RecoveryFailed")).toMatch(
      /kubectl logs job\/watch-db-2-1-full-recovery.*Deleting this DkpRestore removes watch-db-2/,
    );
    await reachesPhase(scene, space, "watch", "Ready");
    expect(await statusOf(scene, space, "watch")).toMatchObject({ database: { cluster: "watch-db-1" } });
    await scene.remove(kinds.restores, space, "failing");
    await eventually(async () => {
      expect(await cluster("watch-db-2")).toBeUndefined();
      expect(await scene.get(kinds.networkPolicies, space, "watch-db-2")).toBeUndefined();
    });
    expect(await cluster("watch-db")).toBeDefined();
  });
});

test("with deletionPolicy Delete a guild goes with every Cluster that it had, and with what backed them up", async () => {
  await scene.patch(kinds.guilds, space, "watch", { spec: { deletionPolicy: "Delete" } });
  await scene.remove(kinds.guilds, space, "watch");
  const all = [
    kinds.clusters,
    kinds.networkPolicies,
    kinds.scheduledBackups,
    kinds.objectStores,
    kinds.backups,
  ];
  await eventually(async () => {
    const left = (await Promise.all(all.map((resource) => scene.list(resource, space)))).flat();
    const own = left.filter(({ metadata }) => metadata.labels?.["dkp.dev/guild"] === "watch");
    // What is owned goes with its owner; there is no garbage collector here to do it.
    expect(own.filter(({ metadata }) => metadata.ownerReferences === undefined)).toEqual([]);
    expect(await scene.get(kinds.guilds, space, "watch")).toBeUndefined();
  });
  expect(recorded.forbidden).toEqual([]);
});
