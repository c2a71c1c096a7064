import type { DkpGuildStatus } from "../../crds/status.ts";

export type Transition = { type: "Normal" | "Warning"; reason: string; message: string };

/** Conditions whose turns are told in Events. */
export const announced = new Set(["DatabaseReady", "BotReady", "CommandsRegistered", "BackupReady"]);

/** Reasons that belong to every guild's way up, so nobody need be warned of them. */
export const onTheWay = new Set([
  "Creating",
  "DatabaseNotReady",
  "DatabaseUpdating",
  "WaitingForDatabase",
  "Migrating",
  "Deploying",
  "PodsNotReady",
  "NoReport",
  "CommandsPending",
  "Hibernating",
  "Hibernated",
  "BackupsStarting",
  "NoBackupYet",
]);

/** Phases in which somebody has asked for what happens. */
const expecting = new Set<DkpGuildStatus["phase"]>(["Updating", "Hibernating", "Hibernated"]);

/** Events worth telling about the step from one status to the next: the phase, and each condition that turned. */
export function transitions(before: DkpGuildStatus | undefined, after: DkpGuildStatus): Transition[] {
  const ready = after.conditions?.find(({ type }) => type === "Ready");
  const wary = after.phase === "Stalled" || after.phase === "Degraded";
  const phase: Transition[] =
    after.phase === undefined || after.phase === before?.phase
      ? []
      : [
          {
            type: wary ? "Warning" : "Normal",
            reason: wary ? (ready?.reason ?? after.phase) : after.phase,
            message: ready?.message ?? "",
          },
        ];
  const turned = (after.conditions ?? []).flatMap(({ type, status, reason, message }): Transition[] => {
    const old = before?.conditions?.find((condition) => condition.type === type);
    if (!announced.has(type) || (old?.status === status && old.reason === reason)) return [];
    if (status === "True") return [{ type: "Normal", reason: type, message }];
    const isExpected = expecting.has(after.phase) || old?.status !== "True";
    if (isExpected && onTheWay.has(reason)) return [];
    return [{ type: "Warning", reason, message }];
  });
  // A new phase tells of what has come right, and often the trouble too: nobody need read the same twice.
  const rest = turned.filter(({ type, reason }) => type === "Warning" && reason !== phase[0]?.reason);
  return phase.length === 0 ? turned : [...phase, ...rest];
}
