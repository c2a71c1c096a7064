import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import * as kinds from "../../operator/guild/resources.ts";
import { eventResource } from "../../runtime/kube/event.ts";
import type { Operator } from "../../operator/start.ts";
import type { KubeObject, Resource } from "../../runtime/kube/object.ts";
import { type Write, startRecorded } from "./clients.ts";
import { botReports, databaseReady, jobsEnd, makeGuild, makeToken, podsRun } from "./players.ts";
import { type Scene, openScene } from "./scene.ts";
import {
  type Status,
  condition as readCondition,
  patience as eventually,
  reachesPhase as phaseReached,
  statusOf as readStatus,
} from "./status.ts";

let scene: Scene;
let operator: Operator;
let writes: Write[];
let reads: string[];
let statuses: KubeObject[];
let forbidden: string[];

async function start(): Promise<void> {
  ({ operator, writes, reads, statuses, forbidden } = await startRecorded(scene));
}

beforeAll(async () => {
  scene = await openScene({ cloudNativePg: true });
  await start();
});

afterAll(async () => {
  await operator?.stop();
  await scene?.stop();
});

const statusOf = (namespace: string, name: string) => readStatus(scene, namespace, name);
const condition = (namespace: string, name: string, type: string) =>
  readCondition(scene, namespace, name, type);
const reachesPhase = (namespace: string, name: string, phase: string) =>
  phaseReached(scene, namespace, name, phase);

const seenJob = async (namespace: string) => (await scene.list(kinds.jobs, namespace)).length;

/** Takes a guild all the way up. */
async function bringUp(namespace: string, name: string): Promise<void> {
  await vi.waitFor(() => databaseReady(scene, namespace, name), eventually);
  await vi.waitFor(async () => expect(await seenJob(namespace)).toBe(1), eventually);
  await jobsEnd(scene, namespace);
  await vi.waitFor(
    async () => expect(await scene.get(kinds.deployments, namespace, `${name}-bot`)).toBeDefined(),
    eventually,
  );
  await podsRun(scene, namespace, name);
  await botReports(scene, namespace, name);
  await reachesPhase(namespace, name, "Ready");
}

/** Nothing is sent while the operator looks at everything several times; each look at a guild reads its two Secrets. */
async function staysQuiet(): Promise<void> {
  const [written, read] = [writes.length, reads.length];
  const enough = read + 3 * 2 * [...operator.world.guilds()].length;
  await vi.waitFor(() => expect(reads.length).toBeGreaterThanOrEqual(enough), eventually);
  expect(writes.slice(written)).toEqual([]);
}

let counter = 0;
async function place(): Promise<{ namespace: string; guildId: string }> {
  counter += 1;
  const namespace = await scene.namespace(`space-${counter}`);
  return { namespace, guildId: `1000000000000000${counter.toString().padStart(2, "0")}` };
}

describe("a guild comes up", () => {
  test("step by step, each child in its turn, each one written once, until it is Ready and nothing more is sent", async () => {
    const { namespace, guildId } = await place();
    await makeToken(scene, namespace);
    await scene.create(kinds.guilds, namespace, makeGuild("watch", guildId));
    await reachesPhase(namespace, "watch", "DatabaseProvisioning");
    expect(await seenJob(namespace)).toBe(0);
    expect(await scene.get(kinds.deployments, namespace, "watch-bot")).toBeUndefined();

    await databaseReady(scene, namespace, "watch");
    await reachesPhase(namespace, "watch", "Migrating");
    expect(await seenJob(namespace)).toBe(1);
    expect(await scene.get(kinds.deployments, namespace, "watch-bot")).toBeUndefined();

    await jobsEnd(scene, namespace);
    await reachesPhase(namespace, "watch", "Deploying");
    await podsRun(scene, namespace, "watch");
    await botReports(scene, namespace, "watch");
    await reachesPhase(namespace, "watch", "Ready");

    const status = await statusOf(namespace, "watch");
    expect(status).toMatchObject({
      observedGeneration: 1,
      replicas: 2,
      readyReplicas: 2,
      leader: { pod: "bot-0", term: 1 },
      database: { summary: "3/3", primary: "watch-db-1" },
    });
    const turned = Object.fromEntries((status.conditions ?? []).map(({ type, status }) => [type, status]));
    expect(turned).toEqual({
      Ready: "True",
      Reconciling: "False",
      Stalled: "False",
      DatabaseReady: "True",
      BotReady: "True",
      CommandsRegistered: "True",
    });
    const children = writes.filter(({ kind }) => kind !== "DkpGuild" && kind !== "Event");
    const counts = Map.groupBy(children, ({ kind, name }) => `${kind} ${name}`);
    expect([...counts.values()].filter((list) => list.length > 1)).toEqual([]);
    expect(counts.size).toBe(14);
    // Nothing is looked for before it is made; Secrets alone are read one by one.
    expect(new Set(reads)).toEqual(new Set(["Secret"]));
    await staysQuiet();
    expect(forbidden).toEqual([]);
  });

  test("and a restart of the operator sends nothing", async () => {
    await operator.stop();
    await start();
    await expect.poll(() => operator.problems(), eventually).toEqual([]);
    await staysQuiet();
    expect(writes).toEqual([]);
  });
});

const container = (fields: object) => ({
  spec: { template: { spec: { containers: [{ name: "bot", image: "x", ...fields }] } } },
});

/** What an object is meant to be, without versions and status. */
function intent({ metadata, ...rest }: Record<string, unknown>): object {
  const { labels, ownerReferences } = metadata as Record<string, unknown>;
  return { ...rest, status: undefined, metadata: { labels, ownerReferences } };
}

describe("whatever somebody else changes is put back", () => {
  let namespace: string;
  beforeAll(async () => {
    let guildId: string;
    ({ namespace, guildId } = await place());
    await makeToken(scene, namespace);
    await scene.create(kinds.guilds, namespace, makeGuild("drift", guildId));
    await bringUp(namespace, "drift");
  });

  test.each<[string, Resource, string, object]>([
    ["the image of the Deployment", kinds.deployments, "drift-bot", container({ image: "evil:1" })],
    [
      "a variable more in the Deployment",
      kinds.deployments,
      "drift-bot",
      container({ env: [{ name: "EVIL", value: "1" }] }),
    ],
    [
      "a container more in the Deployment",
      kinds.deployments,
      "drift-bot",
      { spec: { template: { spec: { initContainers: [{ name: "evil", image: "evil:1" }] } } } },
    ],
    ["the replicas of the Deployment", kinds.deployments, "drift-bot", { spec: { replicas: 7 } }],
    ["the Service's selector", kinds.services, "drift-internal", { spec: { selector: { app: "other" } } }],
    ["the configuration", kinds.configMaps, "drift-config", { data: { "config.yaml": "mode: readOnly" } }],
    [
      "the Role's rules",
      kinds.roles,
      "drift-bot",
      { rules: [{ apiGroups: [""], resources: ["secrets"], verbs: ["get"] }] },
    ],
    ["the RoleBinding's subjects", kinds.roleBindings, "drift-bot", { subjects: [] }],
    ["the ServiceAccount", kinds.serviceAccounts, "drift-bot", { automountServiceAccountToken: true }],
    ["the PodDisruptionBudget", kinds.podDisruptionBudgets, "drift-bot", { spec: { maxUnavailable: 0 } }],
    ["the bot's NetworkPolicy", kinds.networkPolicies, "drift-bot", { spec: { egress: [{}] } }],
    ["the database's NetworkPolicy", kinds.networkPolicies, "drift-db", { spec: { ingress: [{}] } }],
    ["the Cluster", kinds.clusters, "drift-db", { spec: { instances: 1 } }],
    ["a label", kinds.services, "drift-internal", { metadata: { labels: { "dkp.dev/guild": null } } }],
    ["an owner", kinds.deployments, "drift-bot", { metadata: { ownerReferences: null } }],
  ])("%s", async (_, resource, name, patch) => {
    const before = intent((await scene.get(resource, namespace, name)) ?? {});
    await scene.patch(resource, namespace, name, patch);
    await expect
      .poll(async () => intent((await scene.get(resource, namespace, name)) ?? {}), eventually)
      .toEqual(before);
    await podsRun(scene, namespace, "drift");
    await reachesPhase(namespace, "drift", "Ready");
  });

  test.each<[Resource, string]>([
    [kinds.serviceAccounts, "drift-bot"],
    [kinds.roles, "drift-bot"],
    [kinds.roleBindings, "drift-bot"],
    [kinds.leases, "drift-leader"],
    [kinds.configMaps, "drift-config"],
    [kinds.configMaps, "drift-report"],
    [kinds.secrets, "drift-runtime"],
    [kinds.services, "drift-internal"],
    [kinds.podDisruptionBudgets, "drift-bot"],
    [kinds.networkPolicies, "drift-bot"],
    [kinds.networkPolicies, "drift-db"],
  ])("the deletion of $kind %s", async (resource, name) => {
    const uid = (await scene.get(resource, namespace, name))?.metadata.uid;
    await scene.remove(resource, namespace, name);
    await expect
      .poll(async () => (await scene.get(resource, namespace, name))?.metadata.uid, eventually)
      .toBeDefined();
    expect((await scene.get(resource, namespace, name))?.metadata.uid).not.toBe(uid);
    await botReports(scene, namespace, "drift");
    await reachesPhase(namespace, "drift", "Ready");
  });

  test("also what was changed while no operator ran", async () => {
    const changes: [Resource, string, object][] = [
      [kinds.configMaps, "drift-config", { data: { "config.yaml": "mode: readOnly" } }],
      [kinds.deployments, "drift-bot", container({ env: [{ name: "EVIL", value: "1" }] })],
      [kinds.networkPolicies, "drift-db", { spec: { ingress: [{}] } }],
    ];
    const all = () =>
      Promise.all(
        changes.map(async ([resource, name]) => intent((await scene.get(resource, namespace, name)) ?? {})),
      );
    const before = await all();
    await operator.stop();
    for (const [resource, name, patch] of changes) await scene.patch(resource, namespace, name, patch);
    await start();
    await expect.poll(all, eventually).toEqual(before);
    await podsRun(scene, namespace, "drift");
    await reachesPhase(namespace, "drift", "Ready");
  });

  test("while the Lease's holder and the report are the bot's own", async () => {
    const spec = { holderIdentity: "bot-0", leaseDurationSeconds: 15 };
    await scene.patch(kinds.leases, namespace, "drift-leader", { spec });
    const commands = { state: "Registered", hash: "b", count: 13, message: "" };
    await botReports(scene, namespace, "drift", { commands });
    await expect
      .poll(async () => (await condition(namespace, "drift", "CommandsRegistered"))?.message, eventually)
      .toBe("13 commands are registered");
    await staysQuiet();
    expect((await scene.get(kinds.leases, namespace, "drift-leader"))?.["spec"]).toEqual(spec);
  });

  test("and an Event tells of it", async () => {
    const events = await scene.list(eventResource, namespace);
    expect(events.map((event) => event["reason"])).toContain("DriftReverted");
  });
});

describe("spec changes", () => {
  let namespace: string;
  beforeAll(async () => {
    let guildId: string;
    ({ namespace, guildId } = await place());
    await makeToken(scene, namespace);
    await scene.create(kinds.guilds, namespace, makeGuild("change", guildId));
    await bringUp(namespace, "change");
  });

  const image = async () => {
    const { template } = (await scene.part(kinds.deployments, namespace, "change-bot")) as {
      template: { spec: { containers: { image: string }[] } };
    };
    return template.spec.containers[0]?.image;
  };

  test("rules reach the configuration alone, and no pod restarts", async () => {
    const before = (await scene.get(kinds.deployments, namespace, "change-bot"))?.metadata.generation;
    await scene.patch(kinds.guilds, namespace, "change", {
      spec: { mode: "readOnly", rules: { timeZone: "UTC" } },
    });
    const text = async () =>
      (await scene.part(kinds.configMaps, namespace, "change-config", "data"))["config.yaml"];
    await expect.poll(text, eventually).toBe("mode: readOnly\nrules:\n  timeZone: UTC\n");
    await reachesPhase(namespace, "change", "Ready");
    expect((await scene.get(kinds.deployments, namespace, "change-bot"))?.metadata.generation).toBe(before);
  });

  test("a new image waits for its migration; where that fails the old one stays until a retry is asked for", async () => {
    await scene.patch(kinds.guilds, namespace, "change", { spec: { bot: { channel: "canary" } } });
    await reachesPhase(namespace, "change", "Updating");
    expect(await image()).toBe("dkp-bot:1");
    const migrating = async () =>
      (await scene.list(kinds.jobs, namespace)).find(
        ({ metadata }) => metadata.annotations?.["dkp.dev/image"] === "dkp-bot:2",
      );
    await expect.poll(migrating, eventually).toBeDefined();
    const failing = await migrating();
    await jobsEnd(scene, namespace, "Failed");
    await reachesPhase(namespace, "change", "Stalled");
    expect(await condition(namespace, "change", "Ready")).toMatchObject({
      status: "False",
      reason: "RolloutFailed",
      message: expect.stringContaining(`kubectl logs job/${failing?.metadata.name}`),
    });
    expect(await image()).toBe("dkp-bot:1");
    await staysQuiet();
    await scene.patch(kinds.guilds, namespace, "change", {
      metadata: { annotations: { "dkp.dev/retry-rollout": "now" } },
    });
    await reachesPhase(namespace, "change", "Updating");
    await expect
      .poll(
        async () => (await scene.get(kinds.jobs, namespace, failing?.metadata.name ?? ""))?.metadata.uid,
        eventually,
      )
      .not.toBe(failing?.metadata.uid);
    await expect.poll(() => seenJob(namespace), eventually).toBe(2);
    await jobsEnd(scene, namespace);
    await expect.poll(image, eventually).toBe("dkp-bot:2");
    await podsRun(scene, namespace, "change");
    await reachesPhase(namespace, "change", "Ready");
    expect(await statusOf(namespace, "change")).toMatchObject({
      lastHealthyImage: "dkp-bot:2",
      rollout: { image: "dkp-bot:2", state: "Done" },
    });
    await expect.poll(() => seenJob(namespace), eventually).toBe(1);
    const { metadata } = (await scene.get(kinds.guilds, namespace, "change")) ?? {};
    expect(metadata?.annotations?.["dkp.dev/retry-rollout"]).toBeUndefined();
  });

  test("Ready says nothing of a change that has not arrived", async () => {
    const first = statuses.length;
    const changed = await scene.patch(kinds.guilds, namespace, "change", {
      spec: { bot: { logLevel: "debug" }, database: { instances: 4 } },
    });
    const { generation } = changed.metadata;
    // kubectl wait and kstatus take a condition of another generation for unknown.
    expect((changed["status"] as { observedGeneration: number }).observedGeneration).toBeLessThan(
      generation ?? 0,
    );
    await expect
      .poll(async () => (await statusOf(namespace, "change")).observedGeneration, eventually)
      .toBe(generation);
    await podsRun(scene, namespace, "change");
    await expect
      .poll(async () => (await condition(namespace, "change", "BotReady"))?.status, eventually)
      .toBe("True");
    const said = statuses.slice(first).map((object) => object["status"] as Status);
    expect(said.length).toBeGreaterThan(1);
    for (const status of said) {
      expect(status).toMatchObject({ phase: "Updating", observedGeneration: generation });
      expect(status.conditions).toMatchObject([
        { type: "Ready", status: "False", observedGeneration: generation },
        { type: "Reconciling", status: "True", observedGeneration: generation },
        { type: "Stalled", status: "False", observedGeneration: generation },
        {},
        {},
        {},
      ]);
    }
    const { conditions } = await scene.part(kinds.clusters, namespace, "change-db", "status");
    const status = { instances: 4, readyInstances: 4, conditions };
    await scene.patch(kinds.clusters, namespace, "change-db", { status }, "status");
    await reachesPhase(namespace, "change", "Ready");
  });

  test("a field that was there from the first is removed by one more apply", async () => {
    const { namespace: space, guildId } = await place();
    await makeToken(scene, space);
    const bot = { resources: { limits: { cpu: "2" } } };
    await scene.create(kinds.guilds, space, makeGuild("fields", guildId, { bot }));
    await bringUp(space, "fields");
    const resources = async () =>
      JSON.stringify((await scene.part(kinds.deployments, space, "fields-bot"))["template"]);
    expect(await resources()).toContain('"cpu":"2"');
    const before = writes.length;
    await scene.patch(kinds.guilds, space, "fields", { spec: { bot: { resources: null } } });
    await expect.poll(resources, eventually).not.toContain('"cpu":"2"');
    const sent = writes.slice(before).filter(({ kind }) => kind === "Deployment");
    expect(sent).toEqual([{ verb: "apply", kind: "Deployment", name: "fields-bot" }]);
  });

  test("a field that is removed is removed from the child too", async () => {
    const limits = async () =>
      JSON.stringify((await scene.get(kinds.deployments, namespace, "change-bot"))?.["spec"]);
    await scene.patch(kinds.guilds, namespace, "change", {
      spec: { bot: { resources: { limits: { cpu: "1000m" } } } },
    });
    await expect.poll(limits, eventually).toContain('"cpu":"1"');
    await podsRun(scene, namespace, "change");
    await reachesPhase(namespace, "change", "Ready");
    await staysQuiet();
    await scene.patch(kinds.guilds, namespace, "change", { spec: { bot: { resources: null } } });
    await expect.poll(limits, eventually).not.toContain('"cpu":"1"');
    await podsRun(scene, namespace, "change");
  });

  test("scale works, down to nothing and up again", async () => {
    for (const replicas of [0, 3]) {
      await scene.patch(kinds.guilds, namespace, "change", { spec: { replicas } }, "scale");
      const wanted = async () => (await scene.part(kinds.deployments, namespace, "change-bot"))["replicas"];
      await expect.poll(wanted, eventually).toBe(replicas);
      await podsRun(scene, namespace, "change");
      await reachesPhase(namespace, "change", "Ready");
    }
  });

  test("suspended, nothing is put back until it is lifted", async () => {
    await scene.patch(kinds.guilds, namespace, "change", { spec: { suspend: true } });
    await reachesPhase(namespace, "change", "Suspended");
    await scene.patch(kinds.deployments, namespace, "change-bot", { spec: { replicas: 9 } });
    const before = writes.length;
    await podsRun(scene, namespace, "change");
    await expect.poll(async () => (await statusOf(namespace, "change"))["replicas"], eventually).toBe(9);
    expect(writes.slice(before).filter(({ kind }) => kind !== "DkpGuild" && kind !== "Event")).toEqual([]);
    await scene.patch(kinds.guilds, namespace, "change", { spec: { suspend: false } });
    await expect
      .poll(
        async () => (await scene.part(kinds.deployments, namespace, "change-bot"))["replicas"],
        eventually,
      )
      .toBe(3);
  });
});
