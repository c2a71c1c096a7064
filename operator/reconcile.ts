import type { DkpGuild } from "../crds/dkp-guild.ts";
import type { EventRecorder } from "../runtime/kube/event.ts";
import { objectKey } from "../runtime/kube/object.ts";
import type { Note } from "../runtime/telemetry.ts";
import { type Applied, applyChildren } from "./apply.ts";
import { takeBackup } from "./backups.ts";
import { removeObject, removeOwn } from "./farewell.ts";
import { bidFarewell, holdBack, isHeldBack, letGo } from "./finalize.ts";
import { childKey } from "./guild/child.ts";
import { desired, migrationRetryMs, obsolete } from "./guild/desired.ts";
import { developerAnnotation, hasDeveloper } from "./guild/developer.ts";
import { asToSleep, isFallingAsleep, lastBackupName } from "./guild/hibernation.ts";
import { botSelector, childNames } from "./guild/names.ts";
import type { Observation } from "./guild/observation.ts";
import { type Progress, progress } from "./guild/progress.ts";
import { clusters, deployments, guilds, leases, secrets } from "./guild/resources.ts";
import { isRetryAsked, nextRollout, retryAnnotation } from "./guild/rollout.ts";
import type { GuildSettings } from "./guild/settings.ts";
import { status } from "./guild/status.ts";
import { restoresStandStill, takeRestoresOn } from "./restores.ts";
import { sweep, takeUpAgain } from "./retirement.ts";
import type { Rollouts } from "./rollouts.ts";
import type { LeaseRound } from "./leases.ts";
import { hasLivingPods } from "./pods.ts";
import { type Senses, looksAtPods, observe, podProblem } from "./observe.ts";
import { type StatusWriter, guildObject } from "./status-writer.ts";
import type { World } from "./world.ts";

export type Reconciler = Senses & {
  world: World;
  leases: LeaseRound;
  settings: GuildSettings;
  events: EventRecorder;
  statuses: StatusWriter;
  newPassword(): string;
  rollouts: Rollouts;
  /** How soon a guild that is not well is looked at again, in milliseconds. */
  recheckMs: number;
  /** How soon a guild that is well is looked at again, in milliseconds. */
  resyncMs: number;
  /** Adds facts to the span of this look; only where there is one. */
  note?: Note;
};

type Next = { requeueAfterMs?: number };

/**
 * One look at a guild: observe, desire, apply, report. Starts from nothing but what the API server holds, so it may be interrupted
 * anywhere and run again. Throws when the API server refused something, after the status says so.
 */
export async function reconcile(reconciler: Reconciler, key: string): Promise<Next> {
  const declared = reconciler.world.guild(key);
  const standStill = await restoresStandStill(reconciler, key);
  if (declared === undefined) {
    reconciler.statuses.forget(key);
    const dueMs = await sweep(reconciler.client, reconciler.world.clustersOf(key), reconciler.clock());
    return dueMs === undefined ? {} : { requeueAfterMs: Math.min(dueMs, sweepMs) };
  }
  const guild = asToSleep(declared);
  if (guild.metadata.deletionTimestamp !== undefined) return depart(reconciler, guild);
  const observation = await observe(reconciler, guild);
  if (guild.spec.suspend) return report(reconciler, guild, observation);
  if (observation.conflict !== undefined) return stepBack(reconciler, guild, observation);
  const held = isHeldBack(guild) ? guild : await hold(reconciler, guild);
  const awake = await rouse(reconciler, observation);
  const seen = standStill ? awake : await takeRestoresOn(reconciler, held, awake);
  const decided = await sleepOn(reconciler, held, await rollOn(reconciler, held, seen));
  const written = reconciler.world.guild(key)?.status;
  const known = written === undefined ? held : { ...held, status: written };
  const { requeueAfterMs = reconciler.recheckMs } = await advance(reconciler, known, decided);
  return {
    requeueAfterMs: seen.restoring === undefined ? requeueAfterMs : Math.min(requeueAfterMs, restoringMs),
  };
}

/** Timers do not reach further than some weeks. */
const sweepMs = 6 * 3_600_000;

/** Cancels the removal of what an earlier guild of the same name and id has left. */
async function rouse({ client, world }: Reconciler, observation: Observation): Promise<Observation> {
  const mine = [...observation.children.values()].filter(({ kind }) => kind === "Cluster");
  const roused = await takeUpAgain(client, mine);
  if (roused.length === 0) return observation;
  for (const live of roused) world.remember(clusters, live);
  const children = new Map(observation.children);
  for (const live of roused) children.set(childKey(live), live);
  return { ...observation, children };
}

/** Decides how the rollout of the image goes on. That it begins is written down before anything is done, so that nobody counts wrong. */
async function rollOn(
  reconciler: Reconciler,
  guild: DkpGuild,
  observation: Observation,
): Promise<Observation> {
  const { settings, rollouts, statuses, client, world } = reconciler;
  const undecided = progress(guild, settings, { ...observation, rollout: undefined });
  const rollout = nextRollout(
    guild,
    undecided.wanted,
    { nowMs: observation.nowMs, hasFailedJob: undecided.migration === "failed" },
    () => rollouts.take(guild),
  );
  const decided = { ...observation, rollout, isOutage: rollouts.isOutage() };
  if (rollout?.state !== "Progressing") return decided;
  if (guild.status?.rollout?.state !== "Progressing" || guild.status.rollout.image !== rollout.image)
    await statuses.write(guild, status(guild, decided, progress(guild, settings, decided)));
  if (isRetryAsked(guild)) {
    const { name, namespace, uid } = guild.metadata;
    const metadata = { uid, annotations: { [retryAnnotation]: null } };
    world.remember(guilds, await client.mergePatch(guilds, { namespace, name }, { metadata }));
  }
  return decided;
}

/** While a restore goes on, what nobody watches is looked at so often: pods, the last Backup, the recovery's Job. */
const restoringMs = 3_000;

/** Takes the backup that is due before the database is put to sleep, once no pod is left that might write, and sees how it fares. */
async function sleepOn(
  { client, settings }: Reconciler,
  guild: DkpGuild,
  observation: Observation,
): Promise<Observation> {
  if (!guild.spec.hibernate) return observation;
  const facts = progress(guild, settings, observation);
  if (facts.cluster === undefined || !isFallingAsleep(guild, observation, facts)) return observation;
  if (await hasLivingPods(client, guild, botSelector(guild.metadata.name)))
    return { ...observation, podsLeft: true };
  const name = lastBackupName(guild, facts.cluster);
  if (name === undefined) return observation;
  const { status } = await takeBackup(client, guild, facts.cluster, name);
  return { ...observation, lastBackup: { name, phase: status?.phase, error: status?.error } };
}

async function hold({ client, world }: Reconciler, guild: DkpGuild): Promise<DkpGuild> {
  const live = await holdBack(client, guild);
  world.remember(guilds, live);
  return { ...guild, metadata: live.metadata as DkpGuild["metadata"] };
}

async function advance(reconciler: Reconciler, guild: DkpGuild, before: Observation): Promise<Next> {
  const { client, settings } = reconciler;
  const facts = progress(guild, settings, before);
  const wanted = desired(guild, settings, before, facts, reconciler.newPassword);
  const applied = await applyChildren(client, guild, wanted, before.children, (result) =>
    keepInMind(reconciler, guild, result),
  );
  reconciler.note?.(outcomeCounts(applied));
  const after = withApplied(before, applied);
  const now = progress(guild, settings, after);
  for (const { resource, object } of obsolete(guild, after, now)) {
    const leftover = object.metadata.annotations?.[developerAnnotation];
    // Its Job is all that remembers that there was such an account, so the Job goes last.
    if (leftover !== undefined && !hasDeveloper(guild)) await removeOwn(client, guild, secrets, leftover);
    await removeObject(client, resource, object);
  }
  const next = await report(reconciler, guild, after, now);
  const refused = applied.flatMap((result) => (result.outcome === "refused" ? [result.error] : []));
  if (refused.length > 0) throw new AggregateError(refused, "the API server refused some children");
  return next;
}

/** How many children had which outcome. */
function outcomeCounts(applied: Applied[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { outcome } of applied) counts[`children.${outcome}`] = (counts[`children.${outcome}`] ?? 0) + 1;
  return counts;
}

function keepInMind(
  { world, leases: round, secrets: reader, events }: Reconciler,
  guild: DkpGuild,
  result: Applied,
) {
  if (result.outcome === "taken" || result.outcome === "refused") return;
  const { child, live, outcome } = result;
  if (child.resource === leases) round.remember(live);
  else if (child.resource === secrets && outcome !== "unchanged") reader.remember(live);
  else world.remember(child.resource, live);
  if (outcome !== "reverted") return;
  const message = `${child.object.kind} ${child.object.metadata.name} was changed by somebody else and was put back`;
  events.record(guildObject(guild), { type: "Normal", reason: "DriftReverted", message });
}

function withApplied(before: Observation, applied: Applied[]): Observation {
  const children = new Map(before.children);
  for (const result of applied) if ("live" in result) children.set(childKey(result.live), result.live);
  return {
    ...before,
    children,
    taken: [
      ...new Set([
        ...before.taken,
        ...applied
          .filter(({ outcome }) => outcome === "taken")
          .map(({ child }) => `${child.object.kind} ${child.object.metadata.name}`),
      ]),
    ],
    refusals: applied.flatMap((result) => (result.outcome === "refused" ? [sentence(result.error)] : [])),
  };
}

function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The newer of two guilds with one Discord id runs nothing. */
async function stepBack(reconciler: Reconciler, guild: DkpGuild, observation: Observation): Promise<Next> {
  const { bot } = childNames(guild.metadata.name);
  const running = observation.children.get(`Deployment/${bot}`);
  if (running !== undefined) await removeObject(reconciler.client, deployments, running);
  return report(reconciler, guild, observation);
}

/** Looks into pods where that explains something, then patches the status if it changed. */
async function report(
  reconciler: Reconciler,
  guild: DkpGuild,
  observation: Observation,
  facts = progress(guild, reconciler.settings, observation),
): Promise<Next> {
  const look = looksAtPods(guild, observation, facts);
  const problem = look === "now" ? await podProblem(reconciler.client, guild, facts.wanted) : undefined;
  const seen = { ...observation, podProblem: problem };
  const after = status(guild, seen, facts);
  const waitMs = await reconciler.statuses.write(guild, after);
  // Written down, so it may return now.
  if (after.rollout?.state === "Failed" && observation.rollout?.state === "Progressing")
    return { requeueAfterMs: 1 };
  const settled = reconciler.world.guild(objectKey(guild.metadata))?.status?.phase;
  const lookMs = delayMs(reconciler, facts, look, settled !== undefined && atRest.has(settled));
  return { requeueAfterMs: Math.min(lookMs, waitMs ?? lookMs) };
}

const atRest = new Set(["Ready", "Suspended", "Hibernated"]);

function delayMs(
  { recheckMs, resyncMs }: Reconciler,
  facts: Progress,
  look: "no" | "soon" | "now",
  isSettled: boolean,
): number {
  // Spread, so that guilds that were made together are not looked at together for ever.
  if (isSettled) return resyncMs * (0.8 + 0.4 * Math.random());
  if (facts.migration === "failed") return Math.min(recheckMs, migrationRetryMs);
  return look === "soon" ? Math.min(recheckMs, 10_000) : recheckMs;
}

async function depart(reconciler: Reconciler, guild: DkpGuild): Promise<Next> {
  if (!isHeldBack(guild)) return {};
  const { done, told } = await bidFarewell(reconciler.client, guild);
  if (done) {
    await letGo(reconciler.client, guild);
    reconciler.events.record(guildObject(guild), told);
    return {};
  }
  const observation = { ...(await observe(reconciler, guild)), farewell: told.message };
  const facts = progress(guild, reconciler.settings, observation);
  await reconciler.statuses.write(guild, status(guild, observation, facts));
  if (guild.status?.phase !== "Deleting") reconciler.events.record(guildObject(guild), told);
  return { requeueAfterMs: Math.min(reconciler.recheckMs, 5_000) };
}
