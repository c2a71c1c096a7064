import { afterAll, beforeAll, expect, test, vi } from "vitest";
import * as kinds from "../../operator/guild/resources.ts";
import type { Operator } from "../../operator/start.ts";
import { type Recording, startRecorded } from "./clients.ts";
import { type Players, everybodyPlays, makeGuild, makeToken } from "./players.ts";
import { type Scene, openScene } from "./scene.ts";
import { condition, failsFor, patience, reachesPhase, statusOf } from "./status.ts";

const space = "night-watch";
const backup = {
  objectStore: {
    endpoint: "http://s3.s3.svc:7070",
    bucket: "dkp-backups",
    region: "fsn1",
    secretRef: { name: "s3" },
    endpointCA: { name: "s3-ca" },
  },
};

let scene: Scene;
let recorded: Recording;
let operator: Operator;
let players: Players;

beforeAll(async () => {
  scene = await openScene({ cloudNativePg: true });
  await scene.namespace(space);
  await makeToken(scene, space);
  ({ operator, ...recorded } = await startRecorded(scene));
  players = everybodyPlays(scene, space, "watch");
  await scene.create(kinds.guilds, space, makeGuild("watch", "910000000000000001", { backup }));
});

afterAll(async () => {
  await players?.stop();
  await operator?.stop();
  await scene?.stop();
});

const hoursAgo = (hours: number) => `${new Date(Date.now() - hours * 3_600_000).toISOString().slice(0, 19)}Z`;
const plugins = async () => (await scene.part(kinds.clusters, space, "watch-db"))["plugins"];
const theServer = async () =>
  ((await plugins()) as { parameters: { serverName: string } }[])[0]?.parameters.serverName ?? "";

/** The plugin: a base backup was taken, or failed. */
async function windowIs(window: object): Promise<void> {
  const status = { serverRecoveryWindow: { [await theServer()]: window } };
  await scene.patch(kinds.objectStores, space, "watch-backups", { status }, "status");
}

async function scheduleIs(status: object): Promise<void> {
  await scene.patch(kinds.scheduledBackups, space, "watch-db-daily", { status }, "status");
}

const becomes = (reason: string) => failsFor(scene, space, "watch", "BackupReady", reason);

test("a guild whose backups nobody can take works all the same, and says why there are none", async () => {
  await reachesPhase(scene, space, "watch", "Ready");
  expect(await becomes("PluginNotInstalled")).toMatch(/Barman Cloud plugin is not installed.*install it/);
  expect(await plugins()).toBeUndefined();
  expect((await statusOf(scene, space, "watch"))["backup"]).toMatchObject({
    destination: "s3://dkp-backups/night-watch/watch",
    message: expect.stringContaining("plugin") as string,
  });
});

test(
  "once the plugin is installed, each Secret and key that is missing is named",
  { timeout: 60_000 },
  async () => {
    await scene.installBarmanCloud();
    await vi.waitFor(
      async () => expect(await becomes("SecretMissing")).toMatch(/Secret s3 .*ACCESS_KEY_ID/),
      {
        timeout: 30_000,
      },
    );
    expect(await plugins()).toBeUndefined();
    const stringData = { ACCESS_KEY_ID: "dkp" };
    await scene.create(kinds.secrets, space, { metadata: { name: "s3" }, stringData });
    const says = (words: RegExp) =>
      vi.waitFor(async () => expect(await becomes("SecretMissing")).toMatch(words), patience);
    await says(/no key ACCESS_SECRET_KEY/);
    await scene.patch(kinds.secrets, space, "s3", { stringData: { ACCESS_SECRET_KEY: "the-key-of-s3" } });
    await says(/Secret s3-ca does not exist.*ca.crt/);
    await scene.create(kinds.secrets, space, { metadata: { name: "s3-ca" }, stringData: { "ca.crt": "-" } });
    await becomes("NoBackupYet");
  },
);

test("the log goes to the store of spec, encrypted, and a base backup is taken at once and every day", async () => {
  const { configuration, ...rest } = await scene.part(kinds.objectStores, space, "watch-backups");
  const packing = { compression: "gzip", encryption: "AES256" };
  expect(configuration).toEqual({
    destinationPath: "s3://dkp-backups/night-watch/watch",
    endpointURL: "http://s3.s3.svc:7070",
    endpointCA: { name: "s3-ca", key: "ca.crt" },
    s3Credentials: {
      accessKeyId: { name: "s3", key: "ACCESS_KEY_ID" },
      secretAccessKey: { name: "s3", key: "ACCESS_SECRET_KEY" },
    },
    wal: packing,
    data: packing,
  });
  expect(rest).toMatchObject({
    retentionPolicy: "30d",
    instanceSidecarConfiguration: {
      env: [{ name: "AWS_DEFAULT_REGION", value: "fsn1" }],
      resources: { requests: { memory: "256Mi" } },
    },
  });
  expect(await plugins()).toMatchObject([
    {
      name: "barman-cloud.cloudnative-pg.io",
      isWALArchiver: true,
      parameters: {
        barmanObjectName: "watch-backups",
        serverName: expect.stringMatching(/^watch-db-[0-9a-f]{8}$/) as string,
      },
    },
  ]);
  const scheduled = () => scene.get(kinds.scheduledBackups, space, "watch-db-daily");
  await vi.waitFor(async () => expect(await scheduled()).toBeDefined(), patience);
  const live = await scheduled();
  expect(live?.metadata.ownerReferences).toBeUndefined();
  expect(live?.["spec"]).toMatchObject({
    schedule: expect.stringMatching(/^\d+ \d+ [2-5] \* \* \*$/) as string,
    cluster: { name: "watch-db" },
    immediate: true,
    method: "plugin",
    backupOwnerReference: "cluster",
  });
  const egress = JSON.stringify((await scene.part(kinds.networkPolicies, space, "watch-db"))["egress"]);
  expect(egress).toContain('"port":7070');
});

test("a base backup makes it true, and the status tells from when one can restore", async () => {
  await scheduleIs({ lastScheduleTime: hoursAgo(1), nextScheduleTime: hoursAgo(-23) });
  const last = hoursAgo(1);
  await windowIs({ firstRecoverabilityPoint: last, lastSuccessfulBackupTime: last });
  const read = () => condition(scene, space, "watch", "BackupReady");
  await vi.waitFor(
    async () => expect(await read()).toMatchObject({ status: "True", reason: "BackedUp" }),
    patience,
  );
  expect((await statusOf(scene, space, "watch"))["backup"]).toMatchObject({
    lastSuccess: last,
    firstRecoverable: last,
    next: expect.any(String) as string,
  });
});

test("nothing is written while nothing happens, nor by an operator that starts anew", async () => {
  await operator.stop();
  ({ operator, ...recorded } = await startRecorded(scene));
  await vi.waitFor(() => expect(recorded.reads.length).toBeGreaterThan(20), patience);
  expect(recorded.writes.filter(({ kind }) => kind !== "Event")).toEqual([]);
});

test("a backup that was due and did not come, and a log that is not archived, are told; the bot goes on", async () => {
  await scheduleIs({ lastScheduleTime: hoursAgo(3), nextScheduleTime: hoursAgo(-21) });
  await windowIs({ lastSuccessfulBackupTime: hoursAgo(27), lastFailedBackupTime: hoursAgo(3) });
  expect(await becomes("BackupStale")).toMatch(
    /one that was due since is missing; the one at .* failed; see kubectl/,
  );
  const live = (await scene.get(kinds.clusters, space, "watch-db"))?.["status"] as { conditions: object[] };
  const archiving = {
    type: "ContinuousArchiving",
    status: "False",
    reason: "ContinuousArchivingFailing",
    message: "403 Forbidden",
    lastTransitionTime: hoursAgo(0),
  };
  const status = { conditions: [...live.conditions, archiving] };
  await scene.patch(kinds.clusters, space, "watch-db", { status }, "status");
  expect(await becomes("ArchivingFailed")).toMatch(/403 Forbidden; see kubectl logs watch-db-1/);
  expect(await statusOf(scene, space, "watch")).toMatchObject({
    phase: "Ready",
    backup: { archiving: false },
  });
});

test("a plugin or Secret that goes away takes no archiving Cluster down", async () => {
  await scene.remove(kinds.secrets, space, "s3");
  await becomes("SecretMissing");
  expect(await plugins()).toHaveLength(1);
});

test("switched off, nothing is taken any more and what was taken can still be restored", async () => {
  await scene.patch(kinds.guilds, space, "watch", { spec: { backup: { enabled: false } } });
  await vi.waitFor(async () => {
    expect(await plugins()).toBeUndefined();
    expect(await scene.get(kinds.scheduledBackups, space, "watch-db-daily")).toBeUndefined();
    expect(await condition(scene, space, "watch", "BackupReady")).toBeUndefined();
  }, patience);
  expect(await scene.get(kinds.objectStores, space, "watch-backups")).toBeDefined();
  expect(recorded.forbidden).toEqual([]);
});
