import * as kinds from "../../operator/guild/resources.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import type { Scene } from "./scene.ts";

/**
 * Those who act on a guild's children in a whole cluster and are absent from a bare API server: CloudNativePG, the controllers of Jobs and
 * Deployments, and the bot itself. Each does what it would do to the API, and nothing else.
 */

const now = () => `${new Date().toISOString().slice(0, 19)}Z`;

export const report = {
  version: 1,
  leader: "bot-0",
  term: 1,
  since: "2030-01-01T00:00:00Z",
  botVersion: "1",
  discord: { state: "Connected", message: "" },
  commands: { state: "Registered", hash: "abc", count: 12, message: "" },
  database: { state: "Ok", message: "" },
};

export function makeGuild(name: string, guildId: string, spec: Record<string, unknown> = {}) {
  return {
    apiVersion: "dkp.dev/v1alpha1",
    kind: "DkpGuild",
    metadata: { name },
    spec: { guildId, discord: { tokenSecretRef: { name: "discord" } }, ...spec },
  };
}

/** The Secret `discord` with tokens that no other namespace has. */
export async function makeToken(scene: Scene, namespace: string): Promise<void> {
  await scene.create(kinds.secrets, namespace, {
    metadata: { name: "discord" },
    stringData: { token: `token of ${namespace}`, another: `another token of ${namespace}` },
  });
}

/** CloudNativePG: the database runs and the managed role exists. */
export async function databaseReady(
  scene: Scene,
  namespace: string,
  name: string,
  ready = true,
  cluster = `${name}-db`,
): Promise<void> {
  const status = {
    phase: ready ? "Cluster in healthy state" : "Setting up primary",
    instances: 3,
    readyInstances: ready ? 3 : 0,
    currentPrimary: `${cluster}-1`,
    conditions: [
      {
        type: "Ready",
        status: ready ? "True" : "False",
        reason: "x",
        message: "",
        lastTransitionTime: now(),
      },
    ],
    managedRolesStatus: { byStatus: { reconciled: ["dkp_bot", "dkp_developer"] } },
  };
  await scene.patch(kinds.clusters, namespace, cluster, { status }, "status");
}

type Applied = { applied: boolean; message?: string };

/** CloudNativePG in a shared Cluster: it makes roles and databases so, or says why it cannot. */
export async function sharedApplied(
  scene: Scene,
  namespace: string,
  told: Applied = { applied: true },
): Promise<void> {
  for (const kind of [kinds.databaseRoles, kinds.databases])
    for (const { metadata } of await scene.list(kind, namespace)) {
      const status = { ...told, observedGeneration: metadata.generation };
      await scene.patch(kind, namespace, metadata.name, { status }, "status");
    }
}

type End = "Complete" | "Failed" | "FailedSetup";

/** The Job controller: all Jobs end, well or each as it is told; after a failed setup by the Job's podFailurePolicy. */
export async function jobsEnd(
  scene: Scene,
  namespace: string,
  ends: End | ((job: KubeObject) => End) = "Complete",
  prefix = "",
): Promise<void> {
  const at = now();
  for (const job of await scene.list(kinds.jobs, namespace)) {
    if (isOver(job) || !job.metadata.name.startsWith(prefix)) continue;
    const how = typeof ends === "string" ? ends : ends(job);
    const reason = how === "FailedSetup" ? "PodFailurePolicy" : "BackoffLimitExceeded";
    const over = { reason, message: "", lastTransitionTime: at, lastProbeTime: at, status: "True" };
    const status =
      how === "Complete"
        ? {
            startTime: at,
            completionTime: at,
            succeeded: 1,
            conditions: [
              { type: "SuccessCriteriaMet", ...over },
              { type: "Complete", ...over },
            ],
          }
        : {
            startTime: at,
            failed: 3,
            conditions: [
              { type: "FailureTarget", ...over },
              { type: "Failed", ...over },
            ],
          };
    await scene.patch(kinds.jobs, namespace, job.metadata.name, { status }, "status");
  }
}

function isOver(job: KubeObject): boolean {
  const { conditions = [] } = (job["status"] ?? {}) as { conditions?: { type: string }[] };
  return conditions.some(({ type }) => type === "Complete" || type === "Failed");
}

/** The Deployment controller and kubelet: as many pods as wanted run and are ready. */
export async function podsRun(scene: Scene, namespace: string, name: string, ready?: number): Promise<void> {
  const live = await scene.get(kinds.deployments, namespace, `${name}-bot`);
  if (live === undefined) return;
  const { replicas } = live["spec"] as { replicas: number };
  const count = ready ?? replicas;
  const status = {
    observedGeneration: live.metadata.generation,
    replicas,
    updatedReplicas: replicas,
    readyReplicas: count,
    availableReplicas: count,
  };
  await scene.patch(kinds.deployments, namespace, `${name}-bot`, { status }, "status");
}

/** The bot's leader reports. */
export async function botReports(
  scene: Scene,
  namespace: string,
  name: string,
  facts: object = {},
): Promise<void> {
  const data = { "report.json": JSON.stringify({ ...report, ...facts }) };
  await scene.patch(kinds.configMaps, namespace, `${name}-report`, { data });
}

export type Players = { stop(): Promise<void> };

/** Plays round after round until stopped. */
export function playOn(round: () => Promise<void>): Players {
  const ending = new AbortController();
  const play = async () => {
    while (!ending.signal.aborted) {
      await round().catch((error: unknown) => {
        // Something was changed or deleted meanwhile, or a connection lost; the next round sees how things stand.
        if (!/404|409|not found|ECONNRESET/.test(String(error))) throw error;
      });
      await new Promise((resolve) => {
        setTimeout(resolve, 20);
      });
    }
  };
  const playing = play();
  return {
    async stop() {
      ending.abort();
      await playing;
    },
  };
}

/** Everybody does their part as soon as there is something to do, until stopped. */
export function everybodyPlays(scene: Scene, namespace: string, name: string): Players {
  return playOn(async () => {
    const cluster = await scene.get(kinds.clusters, namespace, `${name}-db`);
    if (cluster !== undefined && cluster["status"] === undefined) await databaseReady(scene, namespace, name);
    await jobsEnd(scene, namespace);
    const bot = await scene.get(kinds.deployments, namespace, `${name}-bot`);
    const seen = (bot?.["status"] as { observedGeneration?: number } | undefined)?.observedGeneration;
    if (bot === undefined || seen === bot.metadata.generation) return;
    await podsRun(scene, namespace, name);
    await botReports(scene, namespace, name);
  });
}
