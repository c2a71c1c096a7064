import { isDeepStrictEqual } from "node:util";
import type { DkpGuild } from "../crds/dkp-guild.ts";
import type { DkpRestore } from "../crds/dkp-restore.ts";
import { isKubeError } from "../runtime/kube/error.ts";
import { type KubeObject, objectKey, refOfKey } from "../runtime/kube/object.ts";
import { applyChildren } from "./apply.ts";
import { takeBackup } from "./backups.ts";
import { removeObject } from "./farewell.ts";
import { childKey } from "./guild/child.ts";
import {
  abandoned,
  clusterFor,
  clustersOf,
  isServing,
  retiredAnnotation,
  servingMark,
  unretired,
} from "./guild/incarnation.ts";
import { podSelector } from "./guild/names.ts";
import type { Observation } from "./guild/observation.ts";
import { type ClusterObject, type Progress, isAtRest, progress } from "./guild/progress.ts";
import * as kinds from "./guild/resources.ts";
import {
  type Verdict,
  afterwards,
  behind,
  isBackedUp,
  isRecovered,
  lastBackupName,
  objection,
  queued,
  recovering,
  recoveryJobName,
  standstill,
} from "./guild/restore.ts";
import { restoreStatus } from "./guild/restore-status.ts";
import { restoredCluster } from "./guild/restored-cluster.ts";
import { hasLivingPods } from "./pods.ts";
import type { Reconciler } from "./reconcile.ts";
import { timestamp } from "./guild/time.ts";

/** Says of all restores of a guild (`namespace/name`) that nothing can be done, if so; answers whether it is so. */
export async function restoresStandStill(reconciler: Reconciler, key: string): Promise<boolean> {
  const verdict = standstill(reconciler.world.guild(key), refOfKey(key).name);
  if (verdict === undefined) return false;
  for (const restore of queued(reconciler.world.restores.of(key), new Map()))
    await say(reconciler, restore, verdict);
  return true;
}

/**
 * Takes a guild's restores one step further, one restore at a time. What is known lies in the Clusters and nowhere else, so that this may be
 * interrupted between any two writes. Answers what the guild is to know of it.
 */
export async function takeRestoresOn(
  reconciler: Reconciler,
  guild: DkpGuild,
  before: Observation,
): Promise<Observation> {
  const key = objectKey(guild.metadata);
  const restores = reconciler.world.restores.of(key);
  // Most guilds have one Cluster and were never restored.
  if (before.absentKinds.has("Cluster") || (restores.length === 0 && clustersOf(before.children).length < 2))
    return before;
  const tidy = await cleared(reconciler, restores, before);
  const [first, ...others] = queued(restores, tidy.children);
  if (first === undefined) return retired(reconciler, guild, tidy);
  const { verdict, observation } = await take({ reconciler, guild, restore: first }, tidy);
  await say(reconciler, first, verdict);
  for (const other of others) await say(reconciler, other, behind(first));
  const { phase, message } = verdict;
  const isUnderWay = phase === "Recovering" || phase === "CuttingOver";
  const after = await retired(reconciler, guild, observation);
  if (!isUnderWay) return after;
  const isMoving = phase === "CuttingOver";
  return { ...after, restoring: { message, isMoving, holdsBot: verdict.reason === "StoppingBot" } };
}

type Taken = { verdict: Verdict; observation: Observation };

/** One step of one restore. */
type Turn = { reconciler: Reconciler; guild: DkpGuild; restore: DkpRestore };

async function take(turn: Turn, observation: Observation): Promise<Taken> {
  const facts = progress(turn.guild, turn.reconciler.settings, observation);
  const cluster = clusterFor(turn.restore, observation.children);
  if (cluster === undefined) return begin(turn, observation, facts);
  const names = { cluster: cluster.metadata.name };
  if (isServing(cluster))
    return { observation, verdict: { ...afterwards(turn.guild, turn.restore, facts), ...names } };
  const from = facts.cluster?.metadata.name;
  const taken = isRecovered(turn.guild, cluster)
    ? await cutOver(turn, observation, facts, cluster)
    : { observation, verdict: recovering(turn.restore, cluster, await failures(turn, cluster)) };
  return { ...taken, verdict: { ...taken.verdict, ...names, from } };
}

async function begin(turn: Turn, observation: Observation, facts: Progress): Promise<Taken> {
  const objected = objection(turn.guild, turn.restore, observation, facts);
  const { cluster: from } = facts;
  if (objected !== undefined || from === undefined) return { observation, verdict: objected ?? standingBy };
  if (facts.databaseReady && !(await isPrepared(turn, from, observation.nowMs))) {
    const message = `A last backup of ${from.metadata.name} is taken first; the bot goes on meanwhile`;
    return {
      observation,
      verdict: {
        phase: "Recovering",
        level: "progress",
        reason: "BackingUp",
        message,
        from: from.metadata.name,
      },
    };
  }
  const { client, settings, world } = turn.reconciler;
  const wanted = restoredCluster(turn.guild, settings, turn.restore, from, observation.children);
  const applied = await applyChildren(client, turn.guild, wanted, observation.children, (each) => {
    if ("live" in each) world.remember(each.child.resource, each.live);
  });
  const refused = applied.flatMap((each) => (each.outcome === "refused" ? [each.error] : []));
  if (refused.length > 0) throw new AggregateError(refused, "the API server refused the restored Cluster");
  const children = new Map(observation.children);
  for (const each of applied) if ("live" in each) children.set(childKey(each.live), each.live);
  const made = clusterFor(turn.restore, children);
  if (made === undefined) {
    const taken = applied
      .filter(({ outcome }) => outcome === "taken")
      .map(({ child }) => childKey(child.object));
    const message = `${taken.join(", ")} exists and does not belong to this guild: rename or delete it`;
    return { observation, verdict: { phase: "Pending", level: "stalled", reason: "NameTaken", message } };
  }
  const names = { cluster: made.metadata.name, from: from.metadata.name };
  return {
    observation: { ...observation, children },
    verdict: { ...recovering(turn.restore, made, 0), ...names },
  };
}

async function isPrepared(turn: Turn, from: KubeObject, nowMs: number): Promise<boolean> {
  const name = lastBackupName(turn.guild, turn.restore);
  return isBackedUp(await takeBackup(turn.reconciler.client, turn.guild, from, name), nowMs);
}

async function failures(turn: Turn, cluster: ClusterObject): Promise<number> {
  const { name } = cluster.metadata;
  const job = await turn.reconciler.client.get<KubeObject & { status?: { failed?: number } }>(kinds.jobs, {
    namespace: turn.guild.metadata.namespace,
    name: recoveryJobName(name),
  });
  return job?.status?.failed ?? 0;
}

/** Moves the bot once none of its pods is left, so that nobody writes to two databases. */
async function cutOver(
  turn: Turn,
  observation: Observation,
  facts: Progress,
  cluster: ClusterObject,
): Promise<Taken> {
  const moving = { phase: "CuttingOver", level: "progress" } as const;
  const { client } = turn.reconciler;
  const labels = podSelector(turn.guild.metadata.name);
  if (!isAtRest(facts) || (await hasLivingPods(client, turn.guild, labels))) {
    const message = `Cluster ${cluster.metadata.name} is recovered; the bot is being stopped to be moved to it`;
    return { observation, verdict: { ...moving, reason: "StoppingBot", message } };
  }
  const annotations = servingMark(facts.report?.ledger);
  const marked = await annotate(turn.reconciler, observation, cluster, annotations);
  const now = progress(turn.guild, turn.reconciler.settings, marked);
  return { observation: marked, verdict: afterwards(turn.guild, turn.restore, now) };
}

const standingBy: Verdict = {
  phase: "Pending",
  level: "progress",
  reason: "NoDatabase",
  message: "The guild has no database yet",
};

async function annotate(
  { client, world }: Reconciler,
  observation: Observation,
  cluster: KubeObject,
  annotations: Record<string, string>,
): Promise<Observation> {
  const { uid } = cluster.metadata;
  const live = await client.mergePatch(kinds.clusters, cluster.metadata, { metadata: { uid, annotations } });
  world.remember(kinds.clusters, live);
  return { ...observation, children: new Map(observation.children).set(childKey(live), live) };
}

/** Says on Clusters that served before since when they do not. */
async function retired(reconciler: Reconciler, guild: DkpGuild, before: Observation): Promise<Observation> {
  const { cluster } = progress(guild, reconciler.settings, before);
  if (cluster === undefined) return before;
  const now = timestamp(before.nowMs);
  let observation = before;
  for (const old of unretired(cluster, before.children)) {
    observation = await annotate(reconciler, observation, old, { [retiredAnnotation]: now });
  }
  return observation;
}

/** Removes what was recovered for restores that are gone and never served. */
async function cleared(
  { client, world }: Reconciler,
  restores: readonly DkpRestore[],
  before: Observation,
): Promise<Observation> {
  if (!world.restores.known()) return before;
  const gone = abandoned(restores, before.children);
  if (gone.length === 0) return before;
  const children = new Map(before.children);
  for (const cluster of gone) {
    const policy = children.get(`NetworkPolicy/${cluster.metadata.name}`);
    for (const [resource, object] of [
      [kinds.networkPolicies, policy],
      [kinds.clusters, cluster],
    ] as const) {
      if (object === undefined) continue;
      children.delete(childKey(object));
      await removeObject(client, resource, object);
    }
  }
  return { ...before, children };
}

/** Writes a restore's status if it is news, and tells of a new phase. */
async function say({ client, world, events, clock }: Reconciler, restore: DkpRestore, verdict: Verdict) {
  const status = restoreStatus(restore, verdict, clock());
  if (isDeepStrictEqual(restore.status, status)) return;
  const { name, namespace } = restore.metadata;
  const { apiVersion, kind } = restore;
  try {
    const live = await client.applyStatus(kinds.restores, {
      apiVersion,
      kind,
      metadata: { name, namespace },
      status,
    });
    world.restores.remember(live);
  } catch (error) {
    if (!isKubeError(error, 404)) throw error;
    return;
  }
  if (restore.status?.phase === verdict.phase) return;
  const type = verdict.level === "stalled" ? "Warning" : "Normal";
  const object = { apiVersion, kind, metadata: restore.metadata };
  events.record(object, { type, reason: verdict.reason, message: verdict.message });
}
