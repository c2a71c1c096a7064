import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import * as kinds from "../../operator/guild/resources.ts";
import type { Operator } from "../../operator/start.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { recording } from "./clients.ts";
import { everybodyPlays, makeGuild, makeToken } from "./players.ts";
import { type Scene, openScene } from "./scene.ts";
import { patience, reachesPhase, statusOf } from "./status.ts";

const space = "night-watch";
let scene: Scene;
let operator: Operator;
let forbidden: string[];

beforeAll(async () => {
  scene = await openScene({ cloudNativePg: true });
  await scene.namespace(space);
  await scene.namespace("elsewhere");
  const text = readFileSync(new URL("../../config/namespaced/role-binding.yaml", import.meta.url), "utf8");
  await scene.create(kinds.roleBindings, space, parse(text) as KubeObject);
  const removed = await scene.plane.call(
    "DELETE",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/dkp-operator",
  );
  expect(removed.status).toBe(200);
  const recorded = recording(await scene.operatorClient());
  ({ forbidden } = recorded);
  operator = scene.startOperator(recorded.client, { namespaces: [space], recheckMs: 300 });
});

afterAll(async () => {
  await operator?.stop();
  await scene?.stop();
});

describe("an operator with rights in some namespaces only", () => {
  test("has none elsewhere", async () => {
    const call = await scene.plane.callAs({
      serviceAccount: { namespace: "dkp-system", name: "dkp-operator" },
    });
    expect((await call("GET", "/apis/dkp.dev/v1alpha1/namespaces/elsewhere/dkpguilds")).status).toBe(403);
    expect((await call("GET", "/api/v1/namespaces/elsewhere/secrets/discord")).status).toBe(403);
  });

  test("brings up and takes down a guild there without being forbidden anything", async () => {
    await makeToken(scene, space);
    await makeToken(scene, "elsewhere");
    await scene.create(kinds.guilds, "elsewhere", makeGuild("other", "700000000000000012"));
    await scene.create(
      kinds.guilds,
      space,
      makeGuild("watch", "700000000000000011", { deletionPolicy: "Delete" }),
    );
    const players = everybodyPlays(scene, space, "watch");
    await reachesPhase(scene, space, "watch", "Ready");
    await players.stop();
    await scene.remove(kinds.guilds, space, "watch");
    await expect.poll(() => scene.get(kinds.guilds, space, "watch"), patience).toBeUndefined();
    expect(forbidden).toEqual([]);
    expect(await statusOf(scene, "elsewhere", "other")).toEqual({ observedGeneration: -1 });
  });
});
