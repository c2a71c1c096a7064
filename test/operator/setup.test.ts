import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { diagnosis } from "../../operator/kubectl/diagnosis.ts";
import * as kinds from "../../operator/guild/resources.ts";
import type { Operator } from "../../operator/start.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { botReports, databaseReady, makeGuild, makeToken } from "./players.ts";
import { type Scene, openScene } from "./scene.ts";
import { condition, failsFor, patience, reachesPhase, statusOf } from "./status.ts";

/** Migration and setup share a Job; here Kubernetes' own controllers run it, and only kubelet and CloudNativePG are played. */

type Pod = KubeObject & {
  spec: { containers: { name: string; image: string }[] };
  status: { phase: string; containerStatuses?: object[]; initContainerStatuses?: object[] };
};

/** How a pod of a Job ends; a list is for one pod after another, and its last for all that follow. */
type End = "well" | "setup fails" | "is drained" | "migration fails" | "image is missing";

const guilds = ["unset", "unmigrated", "unpulled"] as const;
const ends: Record<(typeof guilds)[number], End[]> = {
  unset: ["is drained", "setup fails"],
  unmigrated: ["migration fails"],
  unpulled: ["image is missing"],
};

let scene: Scene;
let operator: Operator;
let playing: Promise<void>;
const ending = new AbortController();

const terminated = (exitCode: number) => ({
  terminated: { exitCode, reason: exitCode === 0 ? "Completed" : "Error" },
});
const waiting = (reason: string) => ({ waiting: { reason, message: `it is said: ${reason}` } });
const container = (name: string, state: object) => ({
  name,
  state,
  image: "x",
  imageID: "",
  ready: false,
  restartCount: 0,
});

const inPod = (phase: string, migrate: object, setup: object) => ({
  phase,
  initContainerStatuses: [container("migrate", migrate)],
  containerStatuses: [container("setup", setup)],
});

/** What a kubelet says of a pod of the Job. */
const statusAfter: Record<End, object> = {
  well: inPod("Succeeded", terminated(0), terminated(0)),
  "setup fails": inPod("Failed", terminated(0), terminated(1)),
  "is drained": {
    ...inPod("Failed", terminated(0), terminated(143)),
    conditions: [{ type: "DisruptionTarget", status: "True", reason: "EvictionByEvictionAPI" }],
  },
  "migration fails": inPod("Failed", terminated(1), waiting("PodInitializing")),
  "image is missing": inPod("Pending", waiting("ErrImagePull"), waiting("PodInitializing")),
};

function statusOfPod({ metadata }: Pod, name: (typeof guilds)[number]): object {
  if (metadata.labels?.["app.kubernetes.io/component"] === "bot")
    return { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
  const [end = "well", ...rest] = ends[name];
  if (rest.length > 0) ends[name] = rest;
  return statusAfter[end];
}

async function round(name: (typeof guilds)[number]): Promise<void> {
  const cluster = await scene.get(kinds.clusters, name, `${name}-db`);
  if (cluster !== undefined && cluster["status"] === undefined) await databaseReady(scene, name, name);
  const pods = (await scene.list(kinds.pods, name)) as Pod[];
  for (const pod of pods.filter(
    ({ status }) => status.phase === "Pending" && status.containerStatuses === undefined,
  ))
    await scene.patch(kinds.pods, name, pod.metadata.name, { status: statusOfPod(pod, name) }, "status");
  if (pods.some(({ metadata }) => metadata.name.startsWith(`${name}-bot`)))
    await botReports(scene, name, name);
}

async function play(): Promise<void> {
  while (!ending.signal.aborted) {
    for (const name of guilds)
      await round(name).catch((error: unknown) => {
        // Something was deleted or written meanwhile; the next round sees how things stand.
        if (!/40[49]/.test(String(error))) throw error;
      });
    await new Promise((resolve) => {
      setTimeout(resolve, 100);
    });
  }
}

beforeAll(async () => {
  scene = await openScene({ cloudNativePg: true, controllers: true });
  operator = scene.startOperator(await scene.operatorClient(), { recheckMs: 500, secretMemoryMs: 0 });
  for (const [index, name] of guilds.entries()) {
    await scene.namespace(name);
    await makeToken(scene, name);
    await scene.create(
      kinds.guilds,
      name,
      makeGuild(name, `30000000000000000${index}`, { bot: { replicas: 1 } }),
    );
  }
  playing = play();
});

afterAll(async () => {
  ending.abort();
  await playing;
  await operator?.stop();
  await scene?.stop();
});

const ready = (name: string) => condition(scene, name, name, "Ready");
const jobsOf = (name: string) => scene.list(kinds.jobs, name);

async function image(): Promise<string | undefined> {
  const bot = (await scene.get(kinds.deployments, "unset", "unset-bot")) as { spec?: object } | undefined;
  const { template } = (bot?.spec ?? {}) as { template?: { spec: Pod["spec"] } };
  return template?.spec.containers[0]?.image;
}

/** The Job controller waits before it tries again, ten seconds at first and then twice as long. */
const long = { timeout: 70_000, interval: 200 };

describe("the setup of a new version", () => {
  test("comes after the migration in the same pod, with the bot's token, which may yet be missing", async () => {
    await vi.waitFor(async () => expect(await jobsOf("unset")).toHaveLength(1), patience);
    const [job] = await jobsOf("unset");
    expect(job?.["spec"]).toMatchObject({
      template: {
        spec: {
          restartPolicy: "Never",
          initContainers: [{ name: "migrate", image: "dkp-bot:1", args: ["db", "migrate"] }],
          containers: [
            {
              name: "setup",
              image: "dkp-bot:1",
              args: ["setup", "--best-effort"],
              env: [
                { name: "DISCORD_GUILD_ID", value: "300000000000000000" },
                { name: "DISCORD_API_URL", value: "http://discord.example:8090/api" },
                { name: "DISCORD_TOKEN_FILE", value: "/var/run/secrets/dkp/discord/token" },
              ],
              volumeMounts: [{ name: "discord", mountPath: "/var/run/secrets/dkp/discord", readOnly: true }],
            },
          ],
          volumes: expect.arrayContaining([
            { name: "discord", secret: expect.objectContaining({ secretName: "discord", optional: true }) },
          ]),
        },
      },
    });
  });

  test(
    "that failed is told as such, and not as a failed migration; no bot is made; a drained pod is no failure",
    long,
    async () => {
      await expect.poll(() => ready("unset"), long).toMatchObject({ status: "False", reason: "SetupFailed" });
      const sentence = (await ready("unset"))?.message;
      const [job] = await jobsOf("unset");
      expect(sentence).toBe(
        `Job ${job?.metadata.name} failed to register the slash commands for dkp-bot:1: see kubectl logs job/${job?.metadata.name} -c setup; it is tried again`,
      );
      expect(await condition(scene, "unset", "unset", "DatabaseReady")).toMatchObject({ status: "True" });
      await reachesPhase(scene, "unset", "unset", "Stalled");
      const guild = (await scene.get(kinds.guilds, "unset", "unset")) as DkpGuild & KubeObject;
      expect(diagnosis({ guild, pods: [], events: [], operators: 1, nowMs: Date.now() })[0]).toEqual({
        rank: 0,
        what: `SetupFailed: ${sentence}`,
        next: expect.stringMatching(/^kubectl -n unset logs -l .*component=migrate -c setup$/),
      });
      expect(await image()).toBeUndefined();
      expect(await scene.list(kinds.pods, "unset")).toHaveLength(2);
    },
  );

  test("that succeeds lets the bot be made", async () => {
    ends.unset = ["well"];
    const [job] = await jobsOf("unset");
    const path = `/apis/batch/v1/namespaces/unset/jobs/${job?.metadata.name}?propagationPolicy=Background`;
    await scene.plane.call("DELETE", path);
    await reachesPhase(scene, "unset", "unset", "Ready");
    expect(await image()).toBe("dkp-bot:1");
  });

  test("that fails ends a rollout before any pod of that version is made", async () => {
    ends.unset = ["setup fails"];
    await scene.patch(kinds.guilds, "unset", "unset", { spec: { bot: { channel: "canary" } } });
    expect(await failsFor(scene, "unset", "unset", "Ready", "RolloutFailed")).toMatch(
      /^dkp-bot:2 failed: Job \S+ failed to register the slash commands .* The bot is back on dkp-bot:1/,
    );
    expect(await image()).toBe("dkp-bot:1");
    expect(await statusOf(scene, "unset", "unset")).toMatchObject({
      lastHealthyImage: "dkp-bot:1",
      rollout: { image: "dkp-bot:2", state: "Failed" },
    });
  });
});

describe("a migration", () => {
  test("whose image is missing is told with its pod", long, async () => {
    await expect
      .poll(() => ready("unpulled"), long)
      .toMatchObject({ status: "False", reason: "ErrImagePull" });
    expect((await ready("unpulled"))?.message).toMatch(
      /^Pod unpulled-migrate-\S+ does not start: ErrImagePull/,
    );
  });

  test("that failed is tried three times and then told as such", long, async () => {
    await expect
      .poll(() => ready("unmigrated"), long)
      .toMatchObject({
        status: "False",
        reason: "MigrationFailed",
        message: expect.stringMatching(/failed to migrate the database .* -c migrate/),
      });
    expect(await scene.list(kinds.pods, "unmigrated")).toHaveLength(3);
  });
});
