import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { hasPlugin, wantedBackup } from "./backup.ts";
import { shortHash } from "./child.ts";
import type { Finding } from "./findings.ts";
import type { Observation } from "./observation.ts";
import { type Progress, isAtRest } from "./progress.ts";

/** By this annotation CloudNativePG stops a Cluster's instances and keeps their volumes. */
export const hibernationAnnotation = "cnpg.io/hibernation";

type Asleep = Pick<Progress, "cluster" | "deployment">;

/** A guild that is to sleep wants no pods, whatever spec.bot.replicas says. */
export function asToSleep(guild: DkpGuild): DkpGuild {
  if (!guild.spec.hibernate) return guild;
  return { ...guild, spec: { ...guild.spec, bot: { ...guild.spec.bot, replicas: 0 } } };
}

function isTold({ cluster }: Asleep): boolean {
  return cluster?.metadata.annotations?.[hibernationAnnotation] === "on";
}

/** Whether a guild is to sleep, its Cluster is yet to be told, and its Deployment wants no pods any more. */
export function isFallingAsleep(guild: DkpGuild, { restoring }: Observation, facts: Asleep): boolean {
  // While a restore goes on, it would be the database that is being left that is put to sleep.
  if (!guild.spec.hibernate || facts.cluster === undefined || restoring !== undefined) return false;
  return !isTold(facts) && isAtRest(facts);
}

/** Name of the backup that is taken before this Cluster goes to sleep, if one is wanted: the volumes stay, so one that archives nothing may sleep as well. */
export function lastBackupName(guild: DkpGuild, cluster: KubeObject): string | undefined {
  if (wantedBackup(guild) === undefined || !hasPlugin(cluster)) return undefined;
  const { uid, generation } = guild.metadata;
  return `${cluster.metadata.name}-sleep-${shortHash([uid, generation]).slice(0, 8)}`;
}

/** Whether PostgreSQL is to be stopped: once the bot's last pod has ended and the last backup is complete. */
export function isToStop(guild: DkpGuild, observation: Observation, facts: Asleep): boolean {
  const { cluster } = facts;
  if (!guild.spec.hibernate || cluster === undefined) return false;
  if (isTold(facts)) return true;
  if (!isFallingAsleep(guild, observation, facts) || observation.podsLeft === true) return false;
  return lastBackupName(guild, cluster) === undefined || observation.lastBackup?.phase === "completed";
}

/**
 * What is known about a guild that is to sleep. Asleep counts as well: all that spec asks for has come true, so whoever waits for Ready,
 * as Flux does, goes on.
 */
export function sleepFinding(
  guild: DkpGuild,
  { lastBackup }: Observation,
  facts: Asleep,
): Finding | undefined {
  if (!guild.spec.hibernate) return undefined;
  const { cluster } = facts;
  const isStopped =
    cluster?.status?.conditions?.some(
      ({ type, status }) => type === hibernationAnnotation && status === "True",
    ) === true;
  if (isTold(facts) && isStopped)
    return {
      level: "ok",
      reason: "Hibernated",
      message: "The bot and its database are stopped; unset spec.hibernate to wake them",
    };
  if (lastBackup?.phase === "failed")
    return {
      level: "stalled",
      reason: "LastBackupFailed",
      message: `Backup ${lastBackup.name} failed (${lastBackup.error ?? "see kubectl describe backup"}), so the database is not stopped: mend it and delete that Backup to try again, or set spec.backup.enabled: false`,
    };
  const message = isTold(facts)
    ? "The database is being stopped"
    : lastBackup === undefined
      ? "The bot is being stopped"
      : `Waiting for Backup ${lastBackup.name}`;
  return { level: "change", reason: "Hibernating", message };
}
