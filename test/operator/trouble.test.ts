import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import * as kinds from "../../operator/guild/resources.ts";
import type { Operator } from "../../operator/start.ts";
import { startRecorded } from "./clients.ts";
import {
  botReports,
  databaseReady,
  everybodyPlays,
  jobsEnd,
  makeGuild,
  makeToken,
  podsRun,
  report,
} from "./players.ts";
import { type Scene, openScene } from "./scene.ts";
import { condition, failsFor, patience, reachesPhase, statusOf } from "./status.ts";

let scene: Scene;
let operator: Operator;
let forbidden: string[];

beforeAll(async () => {
  scene = await openScene({ cloudNativePg: false });
  ({ operator, forbidden } = await startRecorded(scene));
});

afterAll(async () => {
  await operator?.stop();
  await scene?.stop();
  expect(forbidden).toEqual([]);
});

let counter = 0;
async function place(): Promise<{ namespace: string; guildId: string }> {
  counter += 1;
  const namespace = await scene.namespace(`space-${counter}`);
  return { namespace, guildId: `2000000000000000${counter.toString().padStart(2, "0")}` };
}

async function bringUp(
  spec: Record<string, unknown> = {},
): Promise<{ namespace: string; name: string; guildId: string }> {
  const { namespace, guildId } = await place();
  await makeToken(scene, namespace);
  await scene.create(kinds.guilds, namespace, makeGuild("watch", guildId, spec));
  const players = everybodyPlays(scene, namespace, "watch");
  await reachesPhase(scene, namespace, "watch", "Ready");
  await players.stop();
  return { namespace, name: "watch", guildId };
}

/** Births are told in whole seconds: until the second is over, another guild is not the younger. */
async function isOlderThanTheNext(namespace: string): Promise<void> {
  await vi.waitFor(async () => {
    const { metadata } = (await scene.get(kinds.guilds, namespace, "watch")) ?? {};
    expect(Date.now() - Date.parse(metadata?.creationTimestamp ?? "")).toBeGreaterThan(1_100);
  }, patience);
}

describe("CloudNativePG", () => {
  test("is missed in a sentence, and taken up by itself once it is there", async () => {
    const { namespace, guildId } = await place();
    await makeToken(scene, namespace);
    await scene.create(kinds.guilds, namespace, makeGuild("early", guildId));
    const sentence = await failsFor(scene, namespace, "early", "Ready", "CnpgNotInstalled");
    expect(sentence).toMatch(/install it/);
    await reachesPhase(scene, namespace, "early", "Pending");
    expect(await scene.get(kinds.configMaps, namespace, "early-config")).toBeDefined();
    await scene.installCloudNativePg();
    const players = everybodyPlays(scene, namespace, "early");
    await vi.waitFor(async () => expect((await statusOf(scene, namespace, "early")).phase).toBe("Ready"), {
      timeout: 45_000,
      interval: 100,
    });
    await players.stop();
  });
});

describe("Secrets", () => {
  test("a missing one, and then a missing key, are named, and hold back the bot alone", async () => {
    const { namespace, guildId } = await place();
    await scene.create(kinds.guilds, namespace, makeGuild("watch", guildId));
    await vi.waitFor(() => databaseReady(scene, namespace, "watch"), patience);
    await vi.waitFor(async () => expect(await scene.list(kinds.jobs, namespace)).toHaveLength(1), patience);
    await jobsEnd(scene, namespace);
    expect(await failsFor(scene, namespace, "watch", "BotReady", "SecretMissing")).toBe(
      "Secret discord does not exist: create it with the key token",
    );
    await reachesPhase(scene, namespace, "watch", "Pending");
    await scene.create(kinds.secrets, namespace, {
      metadata: { name: "discord" },
      stringData: { wrong: "x" },
    });
    await expect
      .poll(async () => (await condition(scene, namespace, "watch", "BotReady"))?.message, patience)
      .toMatch(/Secret discord has no key token: add it/);
    expect(await scene.get(kinds.deployments, namespace, "watch-bot")).toBeUndefined();
    await scene.patch(kinds.secrets, namespace, "discord", { stringData: { token: "abc" } });
    const players = everybodyPlays(scene, namespace, "watch");
    await reachesPhase(scene, namespace, "watch", "Ready");
    await players.stop();
  });

  test("the generated password is nowhere but in its Secret", async () => {
    const { namespace } = await bringUp();
    const { password } = await scene.part(kinds.secrets, namespace, "watch-runtime", "data");
    const plain = Buffer.from(String(password), "base64").toString();
    expect(plain.length).toBeGreaterThanOrEqual(32);
    const everything = await Promise.all(
      [kinds.guilds, kinds.configMaps, kinds.deployments, kinds.jobs, kinds.clusters, kinds.roles].map(
        (resource) => scene.list(resource, namespace),
      ),
    );
    expect(JSON.stringify(everything)).not.toContain(plain);
  });
});

describe("what the bot and its pods say", () => {
  test.each<[string, string, RegExp]>([
    [
      "TokenInvalid",
      "TokenInvalid",
      /Discord refuses the token in Secret discord, key token: put the bot's present token there/,
    ],
    ["IntentsRefused", "IntentsRefused", /Developer Portal/],
    ["NotInGuild", "NotInGuild", /invite it/],
  ])("a report of %s stalls the guild and says what to do", async (state, reason, sentence) => {
    const { namespace, name } = await bringUp();
    await botReports(scene, namespace, name, { discord: { state, message: "" } });
    await podsRun(scene, namespace, name, 0);
    expect(await failsFor(scene, namespace, name, "BotReady", reason)).toMatch(sentence);
    await reachesPhase(scene, namespace, name, "Stalled");
    expect(await condition(scene, namespace, name, "Stalled")).toMatchObject({ status: "True", reason });
    await botReports(scene, namespace, name);
    await podsRun(scene, namespace, name);
    await reachesPhase(scene, namespace, name, "Ready");
  });

  test("an image that cannot be pulled is named with its pod", async () => {
    const { namespace, name } = await bringUp();
    const past = "2020-01-01T00:00:00Z";
    const live = await scene.part(kinds.deployments, namespace, `${name}-bot`);
    const { template } = live as { template: { metadata: { labels: object } } };
    const pod = {
      metadata: { name: "watch-bot-x", labels: template.metadata.labels },
      spec: { containers: [{ name: "bot", image: "nowhere/bot:9" }] },
    };
    await scene.create(kinds.pods, namespace, pod);
    const waiting = { reason: "ImagePullBackOff", message: 'Back-off pulling image "nowhere/bot:9"' };
    const container = {
      name: "bot",
      image: "nowhere/bot:9",
      imageID: "",
      ready: false,
      restartCount: 0,
      state: { waiting },
    };
    await scene.patch(
      kinds.pods,
      namespace,
      "watch-bot-x",
      { status: { containerStatuses: [container] } },
      "status",
    );
    const progressing = {
      type: "Progressing",
      status: "True",
      reason: "x",
      message: "",
      lastUpdateTime: past,
      lastTransitionTime: past,
    };
    const status = { readyReplicas: 0, availableReplicas: 0, conditions: [progressing] };
    await scene.patch(kinds.deployments, namespace, `${name}-bot`, { status }, "status");
    expect(await failsFor(scene, namespace, name, "BotReady", "ImagePullBackOff")).toMatch(
      /Pod watch-bot-x does not start.*nowhere\/bot:9/,
    );
    await reachesPhase(scene, namespace, name, "Stalled");
  });

  test("a rollout beyond its deadline is said so", async () => {
    const { namespace, name } = await bringUp();
    const at = `${new Date().toISOString().slice(0, 19)}Z`;
    const over = {
      type: "Progressing",
      status: "False",
      reason: "ProgressDeadlineExceeded",
      message: "too slow",
      lastUpdateTime: at,
      lastTransitionTime: at,
    };
    const status = { readyReplicas: 0, availableReplicas: 0, conditions: [over] };
    await scene.patch(kinds.deployments, namespace, `${name}-bot`, { status }, "status");
    expect(await failsFor(scene, namespace, name, "BotReady", "ProgressDeadlineExceeded")).toMatch(
      /do not become ready in time/,
    );
  });

  test("a database that goes down later degrades the guild and scales nothing down", async () => {
    const { namespace, name } = await bringUp();
    await databaseReady(scene, namespace, name, false);
    await reachesPhase(scene, namespace, name, "Degraded");
    expect(await failsFor(scene, namespace, name, "DatabaseReady", "DatabaseNotReady")).toMatch(
      /Setting up primary/,
    );
    expect((await scene.get(kinds.deployments, namespace, `${name}-bot`))?.["spec"]).toMatchObject({
      replicas: 2,
    });
    await databaseReady(scene, namespace, name);
    await reachesPhase(scene, namespace, name, "Ready");
  });

  test("a report that is no report is as good as none, and takes nothing back that was known", async () => {
    const { namespace, name } = await bringUp();
    await scene.patch(kinds.configMaps, namespace, `${name}-report`, { data: { "report.json": "{" } });
    await expect
      .poll(async () => (await statusOf(scene, namespace, name))["leader"], patience)
      .toBeUndefined();
    expect((await statusOf(scene, namespace, name)).phase).toBe("Ready");
    expect(await condition(scene, namespace, name, "CommandsRegistered")).toMatchObject({ status: "True" });
    await scene.patch(kinds.configMaps, namespace, `${name}-report`, {
      data: { "report.json": JSON.stringify(report) },
    });
    await expect
      .poll(async () => (await statusOf(scene, namespace, name))["leader"], patience)
      .toMatchObject({ pod: "bot-0" });
  });
});

describe("names and ids that are taken", () => {
  test.each([
    ["ConfigMap", kinds.configMaps, "watch-config", { data: { mine: "1" } }],
    ["ServiceAccount", kinds.serviceAccounts, "watch-bot", {}],
    ["Secret", kinds.secrets, "watch-runtime", { stringData: { mine: "1" } }],
    [
      "Cluster",
      kinds.clusters,
      "watch-db",
      {
        apiVersion: "postgresql.cnpg.io/v1",
        kind: "Cluster",
        spec: { instances: 1, storage: { size: "1Gi" } },
      },
    ],
  ])("a %s of somebody else is never written over", async (kind, resource, name, body) => {
    const { namespace, guildId } = await place();
    await makeToken(scene, namespace);
    const made = await scene.create(resource, namespace, { metadata: { name }, ...body });
    await scene.create(kinds.guilds, namespace, makeGuild("watch", guildId));
    expect(await failsFor(scene, namespace, "watch", "Ready", "NameTaken")).toMatch(`${kind} ${name} exists`);
    await reachesPhase(scene, namespace, "watch", "Stalled");
    expect((await scene.get(resource, namespace, name))?.metadata.resourceVersion).toBe(
      made.metadata.resourceVersion,
    );
    await scene.remove(resource, namespace, name);
    const players = everybodyPlays(scene, namespace, "watch");
    await reachesPhase(scene, namespace, "watch", "Ready");
    await players.stop();
  });

  test("a database kept from another Discord guild is not taken up", async () => {
    const { namespace, name } = await bringUp();
    await scene.remove(kinds.guilds, namespace, name);
    await expect.poll(() => scene.get(kinds.guilds, namespace, name), patience).toBeUndefined();
    await scene.create(kinds.guilds, namespace, makeGuild(name, "299999999999999999"));
    expect(await failsFor(scene, namespace, name, "Ready", "NameTaken")).toMatch(/watch-db/);
  });

  test("of two guilds with one guildId the newer runs nothing, until the older is gone", async () => {
    const { namespace, guildId } = await bringUp();
    const other = await place();
    await makeToken(scene, other.namespace);
    await isOlderThanTheNext(namespace);
    await scene.create(kinds.guilds, other.namespace, makeGuild("twin", guildId));
    expect(await failsFor(scene, other.namespace, "twin", "Ready", "Conflict")).toMatch(`${namespace}/watch`);
    await reachesPhase(scene, other.namespace, "twin", "Stalled");
    expect(await scene.list(kinds.configMaps, other.namespace)).toEqual([]);
    await reachesPhase(scene, namespace, "watch", "Ready");
    await scene.remove(kinds.guilds, namespace, "watch");
    const players = everybodyPlays(scene, other.namespace, "twin");
    await reachesPhase(scene, other.namespace, "twin", "Ready");
    await players.stop();
  });

  test("of two guilds on one token the newer is stopped, until it has a token of its own", async () => {
    const { namespace } = await bringUp();
    await isOlderThanTheNext(namespace);
    const twin = await bringUp();
    const { data } = (await scene.get(kinds.secrets, namespace, "discord")) as unknown as {
      data: { token: string };
    };
    const inUse = async (space: string) =>
      (await scene.part(kinds.guilds, space, "watch", "status"))["tokenHash"] as string;
    expect(await inUse(namespace)).toMatch(/^[0-9a-f]{12}$/);
    expect(await inUse(twin.namespace)).not.toBe(await inUse(namespace));
    await scene.patch(kinds.secrets, twin.namespace, "discord", { data });
    await scene.patch(kinds.guilds, twin.namespace, "watch", { metadata: { labels: { look: "again" } } });
    expect(await failsFor(scene, twin.namespace, "watch", "Ready", "Conflict")).toMatch(
      `DkpGuild ${namespace}/watch, which is older, runs on the same Discord token`,
    );
    await expect
      .poll(() => scene.get(kinds.deployments, twin.namespace, "watch-bot"), patience)
      .toBeUndefined();
    await reachesPhase(scene, namespace, "watch", "Ready");
    await scene.patch(kinds.secrets, twin.namespace, "discord", { stringData: { token: "one of its own" } });
    const players = everybodyPlays(scene, twin.namespace, "watch");
    await reachesPhase(scene, twin.namespace, "watch", "Ready");
    await players.stop();
  });
});
