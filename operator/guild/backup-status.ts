import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { DkpGuildStatus } from "../../crds/status.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import {
  destination,
  hasPlugin,
  objectStoreName,
  scheduledBackupName,
  serverName,
  wantedBackup,
} from "./backup.ts";
import type { Finding } from "./findings.ts";
import type { Observation } from "./observation.ts";
import type { Progress } from "./progress.ts";

/** What the plugin knows of one Cluster's backups; times as RFC 3339. */
type RecoveryWindow = {
  firstRecoverabilityPoint?: string;
  lastSuccessfulBackupTime?: string;
  lastFailedBackupTime?: string;
};

type ObjectStoreObject = KubeObject & {
  status?: { serverRecoveryWindow?: Record<string, RecoveryWindow> };
};

type ScheduledBackupObject = KubeObject & {
  status?: { lastScheduleTime?: string; nextScheduleTime?: string };
};

type Children = Observation["children"];

/** What can be restored of a Cluster; empty while nothing is known. */
export function recoveryWindow(guild: DkpGuild, children: Children, cluster: KubeObject): RecoveryWindow {
  const store: ObjectStoreObject | undefined = children.get(`ObjectStore/${objectStoreName(guild)}`);
  const server = serverName(guild, cluster.metadata.name, cluster);
  return store?.status?.serverRecoveryWindow?.[server] ?? {};
}

/** How long after it was due a base backup may be missing. */
const slackMs = 2 * 3_600_000;
/** How old a base backup may be where nobody says when the next is due: a day and the slack. */
const staleAfterMs = 26 * 3_600_000;

/**
 * Whether a base backup that was due is missing. Follows the schedule as CloudNativePG understood it, so that a weekly one is not held
 * against a day, and a schedule that nobody works off any more is noticed.
 */
export function isStale(
  last: string,
  { lastScheduleTime, nextScheduleTime }: { lastScheduleTime?: string; nextScheduleTime?: string },
  nowMs: number,
): boolean {
  const lastMs = Date.parse(last);
  if (lastScheduleTime === undefined && nextScheduleTime === undefined) return nowMs - lastMs > staleAfterMs;
  return [lastScheduleTime, nextScheduleTime]
    .filter((time) => time !== undefined)
    .map((time) => Date.parse(time))
    .some((dueMs) => nowMs > dueMs + slackMs && lastMs < dueMs);
}

/** Why no backups can be taken that spec asks for; undefined when nothing is in the way. */
export function hindrance({ backup }: Observation): Finding | undefined {
  if (backup?.plugin === "absent") {
    const message =
      "The Barman Cloud plugin is not installed in this Kubernetes cluster, so nothing is backed up: install it (0.7 or later) beside CloudNativePG; the guild works meanwhile and its backups begin by themselves";
    return { level: "waiting", reason: "PluginNotInstalled", message };
  }
  const missing = backup?.secrets.find(({ state }) => state !== "present");
  if (missing === undefined) return undefined;
  const { secret, key, state } = missing;
  const message =
    state === "secretMissing"
      ? `Secret ${secret} does not exist in the guild's namespace, so nothing is backed up: create it with the key ${key}`
      : `Secret ${secret} has no key ${key}, so nothing is backed up: add it, or name another key in spec.backup.objectStore`;
  return { level: "waiting", reason: "SecretMissing", message };
}

/** What is known about the backups; undefined when none are wanted. */
export function backupFinding(
  guild: DkpGuild,
  observation: Observation,
  { cluster }: Progress,
): Finding | undefined {
  if (wantedBackup(guild) === undefined) return undefined;
  const hindered = hindrance(observation);
  if (hindered !== undefined) return hindered;
  if (cluster === undefined || !hasPlugin(cluster)) {
    return { level: "progress", reason: "BackupsStarting", message: "Backups begin with the database" };
  }
  if (guild.spec.hibernate) {
    return {
      level: "ok",
      reason: "Hibernating",
      message: "The database sleeps: there is nothing to back up",
    };
  }
  const archiving = cluster.status?.conditions?.find(({ type }) => type === "ContinuousArchiving");
  if (archiving?.status === "False") {
    const message = `The write-ahead log is not archived, so what happens now could not be restored: ${archiving.message ?? ""}; see kubectl logs ${cluster.status?.currentPrimary ?? cluster.metadata.name} -c plugin-barman-cloud`;
    return { level: "waiting", reason: "ArchivingFailed", message };
  }
  return baseBackupFinding(guild, observation, cluster);
}

function baseBackupFinding(guild: DkpGuild, observation: Observation, cluster: KubeObject): Finding {
  const last = recoveryWindow(guild, observation.children, cluster);
  const { lastSuccessfulBackupTime: success, lastFailedBackupTime: failure } = last;
  const look = `see kubectl get backups.postgresql.cnpg.io -l cnpg.io/cluster=${cluster.metadata.name}`;
  const failed =
    failure !== undefined && (success === undefined || Date.parse(failure) > Date.parse(success));
  if (success === undefined) {
    return failed
      ? { level: "waiting", reason: "BackupFailed", message: `The first base backup failed; ${look}` }
      : {
          level: "progress",
          reason: "NoBackupYet",
          message: `The first base backup is yet to come; ${look}`,
        };
  }
  if (isStale(success, scheduleOf(observation.children, cluster), observation.nowMs)) {
    const why = failed ? `; the one at ${failure} failed` : "";
    const message = `The last base backup is of ${success}, and one that was due since is missing${why}; ${look}`;
    return { level: "waiting", reason: "BackupStale", message };
  }
  return { level: "ok", reason: "BackedUp", message: `The last base backup is of ${success}` };
}

function scheduleOf(children: Children, cluster: KubeObject): NonNullable<ScheduledBackupObject["status"]> {
  const live: ScheduledBackupObject | undefined = children.get(
    `ScheduledBackup/${scheduledBackupName(cluster.metadata.name)}`,
  );
  return live?.status ?? {};
}

/** `status.backup`: what was taken and what is next. */
export function backupStatus(
  guild: DkpGuild,
  observation: Observation,
  { cluster }: Progress,
  finding: Finding | undefined,
): Pick<DkpGuildStatus, "backup"> {
  const wanted = wantedBackup(guild);
  if (wanted === undefined || finding === undefined) return {};
  const window = cluster === undefined ? {} : recoveryWindow(guild, observation.children, cluster);
  const { lastSuccessfulBackupTime: lastSuccess, firstRecoverabilityPoint: firstRecoverable } = window;
  const next = cluster === undefined ? undefined : scheduleOf(observation.children, cluster).nextScheduleTime;
  const archiving = cluster?.status?.conditions?.find(({ type }) => type === "ContinuousArchiving");
  return {
    backup: {
      destination: destination(guild, wanted).slice(0, 512),
      ...(lastSuccess === undefined ? {} : { lastSuccess }),
      ...(firstRecoverable === undefined ? {} : { firstRecoverable }),
      ...(next === undefined ? {} : { next }),
      ...(archiving === undefined ? {} : { archiving: archiving.status === "True" }),
      ...(finding.level === "ok" ? {} : { message: finding.message.slice(0, 512) }),
    },
  };
}
