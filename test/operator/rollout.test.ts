import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import * as kinds from "../../operator/guild/resources.ts";
import type { Operator } from "../../operator/start.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { type Recording, startRecorded } from "./clients.ts";
import { type Players, botReports, databaseReady, jobsEnd, makeGuild, playOn, podsRun } from "./players.ts";
import { type Scene, openScene } from "./scene.ts";
import { condition, patience, statusOf } from "./status.ts";

const names = Array.from({ length: 10 }, (_, n) => `guild-${n}`);
const space = "fleet";
let scene: Scene;
let operator: Operator;
let recorded: Recording;
let players: Players;
/** Images whose pods never become ready, and how many guilds ran pods of one of them at the same time at most. */
const broken = new Set<string>();
let mostAtOnce = 0;

async function start(botImage: string): Promise<void> {
  ({ operator, ...recorded } = await startRecorded(scene, {
    settings: {
      botImage,
      botImageCanary: botImage,
      postgresImage: "postgresql:16.6",
      monitoringNamespace: "observability",
      rollout: { maxInFlight: { count: 2 }, failureBudget: { percent: 20 } },
    },
  }));
}

function imageOf(bot: KubeObject): string {
  const { template } = bot["spec"] as { template: { spec: { containers: { image: string }[] } } };
  return template.spec.containers[0]?.image ?? "";
}

/** The Deployment controller gives up on pods that never become ready; the old ones go on. */
async function podsFail(name: string, generation: number | undefined): Promise<void> {
  const at = "2020-01-01T00:00:00Z";
  const late = { lastUpdateTime: at, lastTransitionTime: at, reason: "ProgressDeadlineExceeded" };
  const status = {
    observedGeneration: generation,
    replicas: 3,
    updatedReplicas: 1,
    readyReplicas: 2,
    availableReplicas: 2,
    conditions: [{ type: "Progressing", status: "False", message: "late", ...late }],
  };
  await scene.patch(kinds.deployments, space, `${name}-bot`, { status }, "status");
}

async function play(name: string): Promise<void> {
  const cluster = await scene.get(kinds.clusters, space, `${name}-db`);
  if (cluster !== undefined && cluster["status"] === undefined) await databaseReady(scene, space, name);
  const bot = await scene.get(kinds.deployments, space, `${name}-bot`);
  const seen = (bot?.["status"] as { observedGeneration?: number } | undefined)?.observedGeneration;
  if (bot === undefined || seen === bot.metadata.generation) return;
  if (broken.has(imageOf(bot))) return podsFail(name, bot.metadata.generation);
  await scene.patch(kinds.deployments, space, `${name}-bot`, { status: { conditions: null } }, "status");
  await podsRun(scene, space, name);
  await botReports(scene, space, name);
}

async function round(): Promise<void> {
  await jobsEnd(scene, space);
  for (const name of names) await play(name);
  const all = await scene.list(kinds.guilds, space);
  mostAtOnce = Math.max(mostAtOnce, all.filter((guild) => stateOf(guild) === "Progressing").length);
}

function stateOf(guild: KubeObject): string | undefined {
  return (guild["status"] as { rollout?: { state: string } } | undefined)?.rollout?.state;
}

async function states(): Promise<Record<string, number>> {
  const all = await scene.list(kinds.guilds, space);
  return Object.fromEntries(
    [...Map.groupBy(all, (guild) => stateOf(guild) ?? "none")].map(([state, list]) => [state, list.length]),
  );
}

async function images(): Promise<Record<string, number>> {
  const all = await scene.list(kinds.deployments, space);
  return Object.fromEntries([...Map.groupBy(all, imageOf)].map(([image, list]) => [image, list.length]));
}

/** Nothing but Events is sent while each guild is looked at three times more. */
async function staysQuiet(): Promise<void> {
  const { writes, reads } = recorded;
  await vi.waitFor(async () => {
    const [written, read] = [writes.length, reads.length];
    await expect.poll(() => reads.length, patience).toBeGreaterThan(read + 3 * 2 * names.length);
    expect(writes.slice(written)).toEqual([]);
  }, slowly);
}

const slowly = { timeout: 60_000, interval: 100 };

beforeAll(async () => {
  scene = await openScene({ cloudNativePg: true });
  await scene.namespace(space);
  await start("bot:1");
  for (const [n, name] of names.entries()) {
    const token = { metadata: { name: `token-${n}` }, stringData: { token: `token ${n}` } };
    await scene.create(kinds.secrets, space, token);
    const discord = { tokenSecretRef: { name: `token-${n}` } };
    await scene.create(kinds.guilds, space, makeGuild(name, `50000000000000000${n}`, { discord }));
  }
  players = playOn(round);
  const allReady = async () => {
    const all = await scene.list(kinds.guilds, space);
    expect(all.filter((guild) => (guild["status"] as { phase?: string })?.phase === "Ready")).toHaveLength(
      10,
    );
  };
  await vi.waitFor(allReady, slowly);
}, 120_000);

afterAll(async () => {
  await players?.stop();
  await operator?.stop();
  await scene?.stop();
  expect(recorded.forbidden).toEqual([]);
});

describe("a new image for ten guilds", () => {
  test(
    "that is broken stops at its budget and returns, and the bots go on",
    { timeout: 120_000 },
    async () => {
      broken.add("bot:2");
      await operator.stop();
      await start("bot:2");
      await vi.waitFor(async () => expect(await states()).toEqual({ Failed: 2, Waiting: 8 }), slowly);
      await vi.waitFor(async () => expect(await images()).toEqual({ "bot:1": 10 }), slowly);
      expect(mostAtOnce).toBeLessThanOrEqual(2);
      const all = await scene.list(kinds.guilds, space);
      const failed = all.find((guild) => stateOf(guild) === "Failed")?.metadata.name ?? "";
      await vi.waitFor(
        async () =>
          expect(await condition(scene, space, failed, "BotReady")).toMatchObject({ status: "True" }),
        slowly,
      );
      expect(await condition(scene, space, failed, "RolloutFailed")).toMatchObject({
        status: "True",
        message: expect.stringMatching(/^bot:2: the pods do not become ready in time/),
      });
      expect(await statusOf(scene, space, failed)).toMatchObject({
        phase: "Stalled",
        lastHealthyImage: "bot:1",
        image: "bot:1",
      });
      const waiting = all.find((guild) => stateOf(guild) === "Waiting")?.metadata.name ?? "";
      await expect
        .poll(async () => (await statusOf(scene, space, waiting))["rollout"], patience)
        .toMatchObject({
          message: expect.stringMatching(/^Halted: bot:2 failed .* Give the operator another/),
        });
      expect(await statusOf(scene, space, waiting)).toMatchObject({ phase: "Ready" });
      await staysQuiet();
    },
  );

  test("is decided alike by an operator that starts afterwards, which sends nothing", async () => {
    await operator.stop();
    await start("bot:2");
    await expect.poll(() => operator.problems(), patience).toEqual([]);
    await staysQuiet();
    expect(recorded.writes).toEqual([]);
  });

  test("that is good goes round, two at a time at most", { timeout: 120_000 }, async () => {
    await operator.stop();
    mostAtOnce = 0;
    await start("bot:3");
    await vi.waitFor(async () => expect(await states()).toEqual({ Done: 10 }), slowly);
    expect(await images()).toEqual({ "bot:3": 10 });
    expect(mostAtOnce).toBeGreaterThan(0);
    expect(mostAtOnce).toBeLessThanOrEqual(2);
    await staysQuiet();
  });
});

describe("an image of a guild's own", () => {
  const [name = ""] = names;
  test("whose pods crash returns the guild alone, names the pod, and another image goes on", async () => {
    broken.add("own:1");
    await scene.patch(kinds.guilds, space, name, { spec: { bot: { image: "own:1" } } });
    const rollout = async () => (await statusOf(scene, space, name))["rollout"];
    await expect.poll(rollout, patience).toMatchObject({ image: "own:1", state: "Failed" });
    await expect.poll(async () => await images(), patience).toEqual({ "bot:3": 10 });
    expect(await condition(scene, space, name, "Ready")).toMatchObject({
      reason: "RolloutFailed",
      message: expect.stringMatching(/^own:1 failed: .* The bot is back on bot:3: set another image/),
    });
    await scene.patch(kinds.guilds, space, name, { spec: { bot: { image: "own:2" } } });
    await expect.poll(rollout, patience).toMatchObject({ image: "own:2", state: "Done" });
    expect(await images()).toEqual({ "bot:3": 9, "own:2": 1 });
  });
});
