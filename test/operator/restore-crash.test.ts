import { afterAll, beforeAll, expect, test } from "vitest";
import * as kinds from "../../operator/guild/resources.ts";
import { inALife, killedAt } from "./lives.ts";
import { makeGuild, makeToken } from "./players.ts";
import {
  askFor,
  backup,
  hoursAgo,
  makeCredentials,
  officerConfirms,
  restoreOf,
  restoreReaches,
  restoringPlayers,
} from "./restore-scene.ts";
import { type Scene, openScene } from "./scene.ts";
import { condition, patience, reachesPhase, statusOf } from "./status.ts";

const target = hoursAgo(1);
let scene: Scene;

beforeAll(async () => {
  scene = await openScene({ cloudNativePg: true });
  await scene.installBarmanCloud();
});

afterAll(() => scene?.stop());

const arrived = async (space: string) =>
  (await restoreOf(scene, space, "before")).phase === "AwaitingConfirmation";

/** A restore with a kill at the n-th write, and what is there in the end. */
async function restored(n: number) {
  const space = await scene.namespace(`space-${n}`);
  await makeToken(scene, space);
  await makeCredentials(scene, space);
  const guildId = `93${n.toString().padStart(16, "0")}`;
  await scene.create(kinds.guilds, space, makeGuild("watch", guildId, { backup }));
  const players = restoringPlayers(scene, space, { recovers: true, backsUp: true });
  await inALife(scene, space, async () => {
    await reachesPhase(scene, space, "watch", "Ready");
    await expect
      .poll(async () => (await condition(scene, space, "watch", "BackupReady"))?.status, patience)
      .toBe("True");
  });
  await askFor(scene, space, "before", target);
  const reached = await killedAt(scene, space, n, () => arrived(space));
  await inALife(scene, space, async () => {
    await restoreReaches(scene, space, "before", "AwaitingConfirmation");
    await officerConfirms(scene, space, "before");
    await restoreReaches(scene, space, "before", "Completed");
    await reachesPhase(scene, space, "watch", "Ready");
  });
  await players.stop();
  const clusters = await scene.list(kinds.clusters, space);
  const {
    startedAt: _began,
    completedAt: _ended,
    conditions,
    ...told
  } = await restoreOf(scene, space, "before");
  const deployment = await scene.part(kinds.deployments, space, "watch-bot");
  return {
    reached,
    world: {
      told,
      reasons: conditions?.map(({ type, status, reason }) => [type, status, reason]),
      clusters: clusters.map(({ metadata }) => [
        metadata.name,
        Object.keys(metadata.annotations ?? {}).toSorted(),
      ]),
      schedules: (await scene.list(kinds.scheduledBackups, space)).map(({ metadata }) => metadata.name),
      backups: (await scene.list(kinds.backups, space)).length,
      migrations: (await scene.list(kinds.jobs, space)).length,
      replicas: deployment["replicas"],
      served: ((await statusOf(scene, space, "watch"))["database"] as { cluster: string }).cluster,
    },
  };
}

test(
  "an operator killed at any write of a restore leaves the next one to the same end",
  { timeout: 240_000 },
  async () => {
    const undisturbed = await restored(1_000);
    expect(undisturbed.reached).toBe(false);
    expect(undisturbed.world).toMatchObject({ served: "watch-db-1", backups: 1, migrations: 1, replicas: 2 });
    const lives: Awaited<ReturnType<typeof restored>>[] = [];
    for (let n = 1; n <= 28; n += 4) {
      lives.push(...(await Promise.all([n, n + 1, n + 2, n + 3].map(restored))));
      if (!lives.every(({ reached }) => reached)) break;
    }
    // The last kills come too late, so no write was left out.
    expect(lives.filter(({ reached }) => reached).length).toBeGreaterThanOrEqual(10);
    expect(lives.every(({ reached }) => reached)).toBe(false);
    for (const { world } of lives) expect(world).toEqual(undisturbed.world);
  },
);
