import { vi } from "vitest";
import { parse } from "yaml";
import * as kinds from "../../operator/guild/resources.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { type Players, botReports, databaseReady, jobsEnd, playOn, podsRun, report } from "./players.ts";
import type { Scene } from "./scene.ts";
import { patience } from "./status.ts";

export const ledger = { version: 41, hash: "ab".repeat(32) };

export const backup = { objectStore: { bucket: "dkp-backups", secretRef: { name: "s3" } } };

export async function makeCredentials(scene: Scene, space: string): Promise<void> {
  const stringData = { ACCESS_KEY_ID: "dkp", ACCESS_SECRET_KEY: "the-key-of-s3" };
  await scene.create(kinds.secrets, space, { metadata: { name: "s3" }, stringData });
}

export const hoursAgo = (hours: number) =>
  `${new Date(Date.now() - hours * 3_600_000).toISOString().slice(0, 19)}Z`;

export async function askFor(
  scene: Scene,
  space: string,
  name: string,
  targetTime?: string,
  guild = "watch",
) {
  await scene.create(kinds.restores, space, {
    apiVersion: "dkp.dev/v1alpha1",
    kind: "DkpRestore",
    metadata: { name },
    spec: { guildRef: { name: guild }, ...(targetTime === undefined ? {} : { targetTime }) },
  });
}

export type RestoreStatus = {
  phase?: string;
  cluster?: string;
  from?: string;
  startedAt?: string;
  completedAt?: string;
  conditions?: { type: string; status: string; reason: string; message: string }[];
};

export async function restoreOf(scene: Scene, space: string, name: string): Promise<RestoreStatus> {
  return (await scene.get(kinds.restores, space, name))?.["status"] ?? {};
}

/** Waits until a restore is in a phase for a reason; answers its sentence. */
export async function restoreReaches(
  scene: Scene,
  space: string,
  name: string,
  phase: string,
  reason = phase,
) {
  const said = async () => {
    const status = await restoreOf(scene, space, name);
    const ready = status.conditions?.find(({ type }) => type === "Ready");
    return { phase: status.phase, reason: ready?.reason, message: ready?.message ?? "" };
  };
  await vi.waitFor(async () => {
    const { phase: now, reason: why, message } = await said();
    if (now !== phase || why !== reason)
      throw new Error(`${name} is ${now} for ${why}, not ${phase} for ${reason}: ${space}: ${message}`);
  }, patience);
  return (await said()).message;
}

type Controls = {
  /** Whether a restored Cluster becomes ready. */
  recovers: boolean;
  /** Whether the last backup before a restore is completed. */
  backsUp: boolean;
};

/** The bot while it runs: it says which restore it finds in its configuration, and waits for an officer unless its ledger has the confirmation. */
async function botReads(scene: Scene, space: string): Promise<void> {
  const config = await scene.part(kinds.configMaps, space, "watch-config", "data");
  const { restore } = parse(String(config["config.yaml"])) as { restore?: { id: string } };
  const before = await scene.get(kinds.configMaps, space, "watch-report");
  const { "report.json": said } = (before?.["data"] ?? {}) as { "report.json"?: string };
  const known = (JSON.parse(said ?? "{}") as { restore?: { id: string } }).restore;
  if (said !== undefined && known?.id === restore?.id) return;
  const waits = restore === undefined ? {} : { restore: { id: restore.id, state: "awaitingConfirmation" } };
  // An officer who confirms at this very moment is not contradicted.
  const metadata = { resourceVersion: before?.metadata.resourceVersion };
  const data = { "report.json": JSON.stringify({ ...report, ledger, ...waits }) };
  await scene.patch(kinds.configMaps, space, "watch-report", { metadata, data });
}

async function firstBackup(scene: Scene, space: string): Promise<void> {
  const store = await scene.get(kinds.objectStores, space, "watch-backups");
  if (store === undefined) return;
  const known = (store["status"] ?? {}) as { serverRecoveryWindow?: Record<string, object> };
  for (const { spec } of (await scene.list(kinds.clusters, space)) as (KubeObject & { spec: object })[]) {
    const { plugins = [] } = spec as { plugins?: { parameters: { serverName: string } }[] };
    const server = plugins[0]?.parameters.serverName;
    if (server === undefined || known.serverRecoveryWindow?.[server] !== undefined) continue;
    const window = { firstRecoverabilityPoint: hoursAgo(5), lastSuccessfulBackupTime: hoursAgo(0.01) };
    const status = { serverRecoveryWindow: { [server]: window } };
    await scene.patch(kinds.objectStores, space, "watch-backups", { status }, "status");
  }
}

async function round(scene: Scene, space: string, { recovers, backsUp }: Controls): Promise<void> {
  for (const { metadata, ...rest } of await scene.list(kinds.clusters, space)) {
    const isNew = metadata.labels?.["dkp.dev/incarnation"] !== undefined;
    if (rest["status"] === undefined && (recovers || !isNew))
      await databaseReady(scene, space, "watch", true, metadata.name);
  }
  await firstBackup(scene, space);
  for (const { metadata, ...rest } of await scene.list(kinds.backups, space)) {
    if (rest["status"] === undefined && backsUp)
      await scene.patch(kinds.backups, space, metadata.name, { status: { phase: "completed" } }, "status");
  }
  await jobsEnd(scene, space, "Complete", "watch-migrate");
  const bot = await scene.get(kinds.deployments, space, "watch-bot");
  const seen = (bot?.["status"] as { observedGeneration?: number } | undefined)?.observedGeneration;
  if (bot === undefined) return;
  if (seen !== bot.metadata.generation) await podsRun(scene, space, "watch");
  // Looked at again, because what runs now may be newer than what was seen above.
  const { replicas } = await scene.part(kinds.deployments, space, "watch-bot");
  // Its configuration may come after its pods.
  if (replicas !== 0) await botReads(scene, space);
}

/** Everybody plays for the guild `watch`, the plugin and PostgreSQL's recovery too, as `controls` says at the time. */
export function restoringPlayers(scene: Scene, space: string, controls: Controls): Players {
  return playOn(() => round(scene, space, controls));
}

/** An officer says /dkp-admin confirm-restore. */
export async function officerConfirms(scene: Scene, space: string, name: string): Promise<void> {
  const id = (await scene.get(kinds.restores, space, name))?.metadata.uid;
  await botReports(scene, space, "watch", { ledger, restore: { id, state: "confirmed" } });
}
