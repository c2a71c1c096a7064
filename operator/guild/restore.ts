import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { DkpRestore } from "../../crds/dkp-restore.ts";
import { type BackupObject, wantedBackup } from "./backup.ts";
import { hindrance, recoveryWindow } from "./backup-status.ts";
import { dedicatedDatabase } from "./database.ts";
import { clusterFor } from "./incarnation.ts";
import { childNames } from "./names.ts";
import type { Observation } from "./observation.ts";
import { type ClusterObject, type Progress, isReadyCluster } from "./progress.ts";

type Phase = NonNullable<NonNullable<DkpRestore["status"]>["phase"]>;

/** How far a restore is. "stalled": a person has to act. */
export type Verdict = {
  phase: Phase;
  level: "progress" | "stalled" | "ok";
  reason: string;
  message: string;
  /** Names of the new Cluster and of the one that served before. */
  cluster?: string | undefined;
  from?: string | undefined;
};

const wait = (reason: string, message: string): Verdict => ({
  phase: "Pending",
  level: "progress",
  reason,
  message,
});
const fail = (reason: string, message: string): Verdict => ({
  phase: "Failed",
  level: "stalled",
  reason,
  message,
});

/** Whether a restore has ended, one way or the other. */
function isOver({ status }: DkpRestore): boolean {
  return status?.phase === "Completed" || status?.phase === "Failed";
}

/**
 * A guild's restores that are not over, in the order in which they take their turns: the eldest first. Births are known to the second only, so
 * one that has begun stays in front of one that was made in the same second.
 */
export function queued(restores: readonly DkpRestore[], children: Observation["children"]): DkpRestore[] {
  const rank = (restore: DkpRestore) => {
    const { creationTimestamp, uid } = restore.metadata;
    const begun = clusterFor(restore, children) !== undefined || restore.status?.phase === "Recovering";
    return `${begun ? 0 : 1} ${creationTimestamp} ${uid}`;
  };
  return restores.filter((restore) => !isOver(restore)).toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1));
}

/** What a restore waits for whose turn it is not. */
export function behind(first: DkpRestore): Verdict {
  return wait("Queued", `DkpRestore ${first.metadata.name} of the same guild comes first`);
}

/** Why nothing can be done about a guild's restores now; undefined when something can. */
export function standstill(guild: DkpGuild | undefined, name: string): Verdict | undefined {
  if (guild === undefined) {
    const message = `There is no DkpGuild ${name} in this namespace: correct spec.guildRef by a new DkpRestore, or create the guild`;
    return { ...wait("GuildNotFound", message), level: "stalled" };
  }
  if (guild.metadata.deletionTimestamp !== undefined)
    return fail("GuildDeleted", "The guild is being deleted, so its database is not restored");
  if (guild.spec.suspend)
    return wait("GuildSuspended", "spec.suspend of the guild is set: the restore begins when it is removed");
  if (guild.spec.hibernate)
    return wait(
      "GuildHibernates",
      "spec.hibernate of the guild is set: the restore begins when it is removed",
    );
  return undefined;
}

/** Why a restore cannot begin, for good or for now; undefined when it can. */
export function objection(
  guild: DkpGuild,
  restore: DkpRestore,
  observation: Observation,
  { cluster }: Progress,
): Verdict | undefined {
  if (wantedBackup(guild) === undefined) {
    const message =
      "The guild has no backups: a restore needs database.mode dedicated and spec.backup, and can go back to the first base backup at most";
    return fail("BackupsNotConfigured", message);
  }
  const { targetTime } = restore.spec;
  const targetMs = targetTime === undefined ? undefined : Date.parse(targetTime);
  if (Number.isNaN(targetMs)) return fail("TargetInvalid", `${targetTime} is no time that exists`);
  if (targetMs !== undefined && targetMs > observation.nowMs) {
    const message = `${targetTime} is yet to come: make another DkpRestore with a time that has passed, or without one for the latest`;
    return fail("TargetInFuture", message);
  }
  const hindered = hindrance(observation);
  if (hindered !== undefined) return wait(hindered.reason, hindered.message);
  if (cluster === undefined) return wait("NoDatabase", "The guild has no database yet");
  const first = recoveryWindow(guild, observation.children, cluster).firstRecoverabilityPoint;
  if (first === undefined)
    return wait("NoBackupYet", `There is no base backup of ${cluster.metadata.name} yet`);
  if (targetMs !== undefined && targetMs < Date.parse(first)) {
    const message = `${targetTime} is before ${first}, the earliest time that backups of ${cluster.metadata.name} reach back to: make another DkpRestore`;
    return fail("TargetTooEarly", message);
  }
  return undefined;
}

/** How long the last backup of the old Cluster is waited for. */
const lastBackupMs = 30 * 60_000;

/**
 * Whether to go on to the recovery. A base backup of the old Cluster comes first where that works: it has the log archived up to now, without
 * which a time of a minute ago could not be reached, and it is the way back.
 */
export function isBackedUp(backup: BackupObject, nowMs: number): boolean {
  const phase = backup.status?.phase ?? "";
  if (phase === "completed" || phase === "failed") return true;
  return nowMs - Date.parse(backup.metadata.creationTimestamp ?? "") > lastBackupMs;
}

/** The recovery's Job starts a new pod each time it fails. */
const patience = 3;

/** Where a restore is whose new Cluster does not serve yet. `failures`: of the recovery's pods. */
export function recovering(restore: DkpRestore, cluster: ClusterObject, failures: number): Verdict {
  const { name } = cluster.metadata;
  const { phase = "nothing reported yet" } = cluster.status ?? {};
  if (failures >= patience || phase === "Cluster is unrecoverable and needs manual intervention") {
    const hint =
      restore.spec.targetTime === undefined
        ? ""
        : `; where it says that recovery ended before the target, nothing happened after ${restore.spec.targetTime}, and a DkpRestore without targetTime does the same`;
    return fail(
      "RecoveryFailed",
      `Cluster ${name} could not be recovered, and the guild stays where it was: see kubectl logs job/${recoveryJobName(name)}${hint}. Deleting this DkpRestore removes ${name}`,
    );
  }
  return {
    phase: "Recovering",
    level: "progress",
    reason: "Recovering",
    message: `Cluster ${name} is being recovered (${phase}); the bot goes on with the old one meanwhile`,
  };
}

/** Name of the Job in which CloudNativePG recovers a Cluster. */
export function recoveryJobName(cluster: string): string {
  return `${cluster}-1-full-recovery`;
}

/** Where a restore is whose new Cluster serves. */
export function afterwards(
  guild: DkpGuild,
  restore: DkpRestore,
  { report, migration }: Pick<Progress, "report" | "migration">,
): Verdict {
  const { id, state } = report?.restore ?? {};
  if (id === restore.metadata.uid && state === "confirmed") {
    const message = "An officer has confirmed: the guild goes on from the restored database";
    return { phase: "Completed", level: "ok", reason: "Completed", message };
  }
  // An outage of Discord that comes later takes nothing back that officers were told.
  const serves = report?.discord.state === "Connected" || restore.status?.phase === "AwaitingConfirmation";
  if (id === restore.metadata.uid && serves) {
    const message =
      "The bot serves from the restored database and changes nothing until an officer has looked at it and says /dkp-admin confirm-restore";
    return { phase: "AwaitingConfirmation", level: "progress", reason: "AwaitingConfirmation", message };
  }
  const step =
    migration !== "complete"
      ? "the restored database is being migrated"
      : guild.spec.bot.replicas === 0
        ? "the bot is to start, for which spec.bot.replicas has to be more than 0"
        : id === restore.metadata.uid
          ? "the bot is connecting to Discord"
          : "the bot is starting";
  const message = `The bot is being moved to the restored database: ${step}`;
  return { phase: "CuttingOver", level: "progress", reason: "CuttingOver", message };
}

/** Whether a new Cluster is ready for the bot to be moved to it. */
export function isRecovered(guild: DkpGuild, cluster: ClusterObject): boolean {
  return isReadyCluster(cluster, dedicatedDatabase(guild, cluster.metadata.name).runtimeRole);
}

/** Name of the last Backup of the old Cluster. */
export function lastBackupName(guild: DkpGuild, restore: DkpRestore): string {
  return `${childNames(guild.metadata.name).cluster}-before-${restore.metadata.uid.slice(0, 8)}`;
}
