import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as kinds from "../../operator/guild/resources.ts";
import type { Operator } from "../../operator/start.ts";
import { childKinds } from "./child-kinds.ts";
import { databaseReady, makeGuild, makeToken } from "./players.ts";
import { type Scene, openScene } from "./scene.ts";
import { reachesPhase } from "./status.ts";

const everything = [...childKinds, kinds.guilds];

let scene: Scene;
let operator: Operator;

beforeAll(async () => {
  scene = await openScene({ cloudNativePg: true, controllers: true });
  operator = scene.startOperator(await scene.operatorClient(), { recheckMs: 300, secretMemoryMs: 0 });
});

afterAll(async () => {
  await operator?.stop();
  await scene?.stop();
});

describe("with Kubernetes' own garbage collector", () => {
  test.each([
    ["Delete", []],
    ["Retain", ["Cluster watch-db", "NetworkPolicy watch-db", "Secret watch-runtime"]],
  ])("a guild deleted under %s leaves %j", { timeout: 120_000 }, async (deletionPolicy, kept) => {
    const namespace = await scene.namespace(`space-${deletionPolicy.toLowerCase()}`);
    await makeToken(scene, namespace);
    const names = async () => {
      const lists = await Promise.all(
        everything.map(async (resource) =>
          (await scene.list(resource, namespace)).map(({ metadata }) => `${resource.kind} ${metadata.name}`),
        ),
      );
      // What Kubernetes itself puts into each namespace, and the token that a person put there.
      return lists
        .flat()
        .filter((name) => !/ (default|kube-root-ca.crt|discord)$/.test(name))
        .toSorted();
    };
    const guildId = deletionPolicy === "Delete" ? "600000000000000001" : "600000000000000002";
    await scene.create(kinds.guilds, namespace, makeGuild("watch", guildId, { deletionPolicy }));
    await reachesPhase(scene, namespace, "watch", "DatabaseProvisioning");
    await databaseReady(scene, namespace, "watch");
    await reachesPhase(scene, namespace, "watch", "Migrating");
    expect((await names()).length).toBe(14);
    await scene.remove(kinds.guilds, namespace, "watch");
    // The collector learns of new kinds every half minute.
    await expect.poll(names, { timeout: 90_000, interval: 200 }).toEqual(kept);
  });
});
