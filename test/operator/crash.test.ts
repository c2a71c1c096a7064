import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import * as kinds from "../../operator/guild/resources.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { childKinds } from "./child-kinds.ts";
import { recording } from "./clients.ts";
import { inALife, killedAt, pace } from "./lives.ts";
import { everybodyPlays, makeGuild, makeToken } from "./players.ts";
import { type Scene, openScene } from "./scene.ts";
import { patience, reachesPhase } from "./status.ts";

let scene: Scene;

beforeAll(async () => {
  scene = await openScene({ cloudNativePg: true });
});

afterAll(() => scene?.stop());

/** What does not tell one run from another: names, intentions and states, without times, ids and random parts. */
function essence(object: KubeObject): unknown {
  const text = JSON.stringify(object);
  return JSON.parse(text, (key, value: unknown) => {
    const volatile =
      /^(password|token|another|tokenHash|uid|resourceVersion|creationTimestamp|managedFields|generation|observedGeneration|dkp.dev\/applied)$/;
    if (volatile.test(key) || /Time$|^lastUpdate|controller-uid/.test(key)) return undefined;
    return typeof value === "string"
      ? value
          .replaceAll(/space-\d+/g, "SPACE")
          .replaceAll(/migrate-[0-9a-f]{8}/g, "migrate-X")
          .replaceAll(/3\d{17}/g, "ID")
      : value;
  });
}

async function worldOf(namespace: string): Promise<unknown[]> {
  const lists = await Promise.all(
    [...childKinds, kinds.guilds].map((resource) => scene.list(resource, namespace)),
  );
  return lists.map((list) => list.map((object) => essence(object)));
}

let counter = 0;
async function newGuild(deletionPolicy: string): Promise<string> {
  counter += 1;
  const namespace = await scene.namespace(`space-${counter}`);
  await makeToken(scene, namespace);
  const guildId = `3${counter.toString().padStart(17, "0")}`;
  await scene.create(kinds.guilds, namespace, makeGuild("watch", guildId, { deletionPolicy }));
  return namespace;
}

const isReady = async (namespace: string) => {
  const status = (await scene.get(kinds.guilds, namespace, "watch"))?.["status"] as
    | { phase?: string }
    | undefined;
  return status?.phase === "Ready";
};

/** One way up with a kill at the n-th write. */
async function wayUp(n: number): Promise<{ reached: boolean; world: unknown[] }> {
  const namespace = await newGuild("Delete");
  const players = everybodyPlays(scene, namespace, "watch");
  const reached = await killedAt(scene, namespace, n, () => isReady(namespace));
  await inALife(scene, namespace, () => reachesPhase(scene, namespace, "watch", "Ready"));
  await players.stop();
  return { reached, world: await worldOf(namespace) };
}

async function inPairs<T>(count: number, work: (n: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let n = 1; n <= count; n += 4) {
    const batch = [n, n + 1, n + 2, n + 3].filter((each) => each <= count);
    results.push(...(await Promise.all(batch.map(work))));
  }
  return results;
}

describe("an operator killed at any write", () => {
  test(
    "on the way up leaves the next one to the same end, with nothing double and nothing left over",
    { timeout: 240_000 },
    async () => {
      const undisturbed = await wayUp(1_000);
      expect(undisturbed.reached).toBe(false);
      const lives = await inPairs(28, wayUp);
      const cut = lives.filter(({ reached }) => reached);
      expect(cut.length).toBeGreaterThanOrEqual(15);
      // The last kills come too late, so no write was left out.
      expect(cut.length).toBeLessThan(lives.length);
      for (const { world } of lives) expect(world).toEqual(undisturbed.world);
    },
  );

  test(
    "on the way out, with the database to be deleted, leaves no orphan",
    { timeout: 120_000 },
    async () => {
      const lives = await inPairs(6, async (n) => {
        const namespace = await newGuild("Delete");
        const players = everybodyPlays(scene, namespace, "watch");
        await inALife(scene, namespace, () => reachesPhase(scene, namespace, "watch", "Ready"));
        await players.stop();
        await scene.remove(kinds.guilds, namespace, "watch");
        const gone = async () => (await scene.get(kinds.guilds, namespace, "watch")) === undefined;
        const reached = await killedAt(scene, namespace, n, gone);
        await inALife(scene, namespace, () =>
          vi.waitFor(async () => expect(await gone()).toBe(true), patience),
        );
        const left = await Promise.all(childKinds.map((resource) => scene.list(resource, namespace)));
        // What is owned goes with its owner; there is no garbage collector here to do it.
        return {
          reached,
          left: left.flat().filter(({ metadata }) => metadata.ownerReferences === undefined),
        };
      });
      expect(lives.filter(({ reached }) => reached).length).toBeGreaterThanOrEqual(3);
      for (const { left } of lives) expect(left.map(({ metadata }) => metadata.name)).toEqual(["discord"]);
    },
  );
});

describe("two operators at once", () => {
  test("that both believe to lead come to the same end, and then both are quiet", async () => {
    const undisturbed = await wayUp(1_000);
    const namespace = await newGuild("Delete");
    const players = everybodyPlays(scene, namespace, "watch");
    const both = await Promise.all(
      ["operator-a", "operator-b"].map(async (identity) => {
        const recorded = recording(await scene.operatorClient());
        const operator = scene.startOperator(recorded.client, { ...pace, identity, namespaces: [namespace] });
        return { operator, ...recorded };
      }),
    );
    await reachesPhase(scene, namespace, "watch", "Ready");
    await players.stop();
    const sent = () =>
      both.reduce((sum, { writes }) => sum + writes.filter(({ kind }) => kind !== "Event").length, 0);
    // Whoever looked last writes last; then nobody writes.
    await vi.waitFor(async () => {
      const before = sent();
      const read = both.map(({ reads }) => reads.length);
      // Three more looks of each, which read two Secrets apiece.
      await expect
        .poll(() => both.every(({ reads }, n) => reads.length >= (read[n] ?? 0) + 6), patience)
        .toBe(true);
      expect(sent()).toBe(before);
    }, patience);
    expect(await worldOf(namespace)).toEqual(undisturbed.world);
    await Promise.all(both.map(({ operator }) => operator.stop()));
  });

  test("that stand for the Lease: one works, and the other takes over at once when it ends", async () => {
    const election = {
      namespace: "dkp-system",
      name: "dkp-operator",
      leaseDurationMs: 15_000,
      renewDeadlineMs: 10_000,
      retryPeriodMs: 500,
    };
    const start = async (identity: string) =>
      scene.startOperator(await scene.operatorClient(), { ...pace, identity, election, namespaces: [] });
    const first = await start("operator-a");
    await vi.waitFor(() => expect(first.isLeader()).toBe(true), patience);
    const second = await start("operator-b");
    await vi.waitFor(() => expect(second.problems()).toEqual([]), patience);
    expect(second.isLeader()).toBe(false);
    await first.stop();
    await vi.waitFor(() => expect(second.isLeader()).toBe(true), { timeout: 5_000, interval: 50 });
    const namespace = await newGuild("Retain");
    const players = everybodyPlays(scene, namespace, "watch");
    await reachesPhase(scene, namespace, "watch", "Ready");
    await players.stop();
    await second.stop();
  });
});
