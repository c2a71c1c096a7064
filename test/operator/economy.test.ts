import { afterAll, beforeAll, expect, test } from "vitest";
import * as kinds from "../../operator/guild/resources.ts";
import { eventResource } from "../../runtime/kube/event.ts";
import { recording } from "./clients.ts";
import { everybodyPlays, makeGuild, makeToken } from "./players.ts";
import { type Scene, openScene } from "./scene.ts";
import { condition, failsFor, patience, reachesPhase } from "./status.ts";

/** Progress waits for longer here than any test lasts, so that what is written does not depend on the machine. */
const pace = { settleMs: 600_000, recheckMs: 300 };

let scene: Scene;
let counter = 0;

beforeAll(async () => {
  scene = await openScene({ cloudNativePg: true });
});

afterAll(() => scene?.stop());

async function place(): Promise<{ namespace: string; guildId: string }> {
  counter += 1;
  const namespace = await scene.namespace(`space-${counter}`);
  return { namespace, guildId: `6${counter.toString().padStart(17, "0")}` };
}

async function operating(namespace: string) {
  const recorded = recording(await scene.operatorClient());
  const operator = scene.startOperator(recorded.client, { ...pace, namespaces: [namespace] });
  return { ...recorded, stop: () => operator.stop() };
}

test("a guild that comes up at once costs its finalizer, one write a child, one status, one Event, and one look at a Secret", async () => {
  const { namespace, guildId } = await place();
  await makeToken(scene, namespace);
  const operator = await operating(namespace);
  const players = everybodyPlays(scene, namespace, "watch");
  await scene.create(kinds.guilds, namespace, makeGuild("watch", guildId));
  await reachesPhase(scene, namespace, "watch", "Ready");
  await players.stop();
  await expect.poll(() => scene.list(eventResource, namespace), patience).toHaveLength(1);
  await operator.stop();
  const [told] = await scene.list(eventResource, namespace);
  expect(told).toMatchObject({ type: "Normal", reason: "Ready" });
  const count = (kind: string) => operator.writes.filter((write) => write.kind === kind).length;
  expect(operator.writes.filter(({ kind }) => kind === "DkpGuild")).toEqual([
    { verb: "apply", kind: "DkpGuild", name: "watch" },
    { verb: "applyStatus", kind: "DkpGuild", name: "watch" },
  ]);
  expect(count("Event")).toBe(1);
  expect(operator.writes).toHaveLength(14 + 2 + 1);
  expect(operator.reads).toEqual(["Secret"]);
});

test("what a person has to act on is said at once", async () => {
  const { namespace, guildId } = await place();
  const operator = await operating(namespace);
  await scene.create(kinds.guilds, namespace, makeGuild("watch", guildId));
  await failsFor(scene, namespace, "watch", "BotReady", "SecretMissing");
  await operator.stop();
});

test("of two new guilds on one token one runs nothing, though neither has a status yet", async () => {
  const { namespace, guildId } = await place();
  await makeToken(scene, namespace);
  const operator = await operating(namespace);
  await scene.create(kinds.guilds, namespace, makeGuild("one", guildId));
  await expect.poll(() => scene.list(kinds.clusters, namespace), patience).toHaveLength(1);
  const next = await place();
  await scene.create(kinds.guilds, namespace, makeGuild("other", next.guildId));
  // Born in the same second, either counts as the older.
  const said = async () => {
    const all = await Promise.all(["one", "other"].map((name) => condition(scene, namespace, name, "Ready")));
    return all.flatMap((ready) => ready?.reason ?? []);
  };
  await expect.poll(said, patience).toEqual(["Conflict"]);
  await operator.stop();
});
