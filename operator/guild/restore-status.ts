import type { DkpRestore } from "../../crds/dkp-restore.ts";
import type { Condition } from "../../crds/status.ts";
import type { Finding } from "./findings.ts";
import type { Observation } from "./observation.ts";
import { awaitsOfficer } from "./phase.ts";
import type { Progress } from "./progress.ts";
import type { Verdict } from "./restore.ts";
import { timestamp } from "./time.ts";

/** The status of a DkpRestore, as kstatus reads it. Times and names that were said once are kept. */
export function restoreStatus(
  restore: DkpRestore,
  verdict: Verdict,
  nowMs: number,
): NonNullable<DkpRestore["status"]> {
  const before = restore.status;
  const now = timestamp(nowMs);
  const { phase, level, reason, message } = verdict;
  const cluster = verdict.cluster ?? before?.cluster;
  const from = verdict.from ?? before?.from;
  const startedAt = before?.startedAt ?? (phase === "Pending" || cluster === undefined ? undefined : now);
  const arrived = phase === "AwaitingConfirmation" || phase === "Completed";
  const completedAt = before?.completedAt ?? (arrived ? now : undefined);
  const condition = (type: string, holds: boolean): Condition => {
    const status = holds ? "True" : "False";
    const old = before?.conditions?.find((each) => each.type === type);
    return {
      type,
      status,
      reason,
      message: message.slice(0, 1_024),
      observedGeneration: restore.metadata.generation,
      lastTransitionTime: old?.status === status ? old.lastTransitionTime : now,
    };
  };
  return {
    observedGeneration: restore.metadata.generation,
    phase,
    ...(cluster === undefined ? {} : { cluster }),
    ...(from === undefined ? {} : { from }),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(completedAt === undefined ? {} : { completedAt }),
    conditions: [
      condition("Ready", level === "ok"),
      condition("Reconciling", level === "progress"),
      condition("Stalled", level === "stalled"),
    ],
  };
}

/** What a restore means for the guild; undefined while the bot serves as before. */
export function restoreFinding({ restoring }: Observation, facts: Progress): Finding | undefined {
  if (restoring?.isMoving === true)
    return { level: "change", reason: "Restoring", message: restoring.message };
  if (!awaitsOfficer(facts)) return undefined;
  const message =
    "The database was restored, and the bot changes nothing until an officer has looked at it and says /dkp-admin confirm-restore";
  return { level: "waiting", reason: "AwaitingConfirmation", message };
}
