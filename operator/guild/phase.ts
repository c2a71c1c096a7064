import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { Phase } from "../../crds/phases.ts";
import { type Finding, secretFinding } from "./findings.ts";
import { restoreOf } from "./incarnation.ts";
import type { Observation } from "./observation.ts";
import type { Progress } from "./progress.ts";

/** Where a guild is, in one word. `unwell` is what is not as it should be, the worst first. */
export function phase(
  guild: DkpGuild,
  observation: Observation,
  facts: Progress,
  unwell: readonly Finding[],
): Phase {
  if (guild.metadata.deletionTimestamp !== undefined) return "Deleting";
  if (guild.spec.suspend) return "Suspended";
  if (guild.spec.hibernate && unwell[0]?.level !== "stalled")
    return unwell[0] === undefined ? "Hibernated" : "Hibernating";
  const [worst] = unwell;
  if (worst?.level === "stalled") return "Stalled";
  if (observation.restoring !== undefined || awaitsOfficer(facts)) return "Restoring";
  if (worst === undefined) return "Ready";
  if (hasWorked(guild, facts)) return isUpdate(guild, facts, unwell) ? "Updating" : "Degraded";
  const blocked =
    secretFinding(observation) !== undefined ||
    secretFinding(observation, "database") !== undefined ||
    (facts.database.mode === "dedicated" && observation.absentKinds.has("Cluster"));
  if (blocked || facts.identity === undefined) return "Pending";
  if (!facts.databaseReady) return "DatabaseProvisioning";
  return facts.migration === "complete" ? "Deploying" : "Migrating";
}

/** Whether the bot serves from a restored database that nobody has confirmed. */
export function awaitsOfficer({ cluster, report }: Progress): boolean {
  const restore = report?.restore;
  return restore?.state === "awaitingConfirmation" && restore.id === restoreOf(cluster)?.id;
}

const wayUp = new Set<Phase | undefined>([
  undefined,
  "Pending",
  "DatabaseProvisioning",
  "Migrating",
  "Deploying",
]);
const past = new Set<Phase | undefined>(["Ready", "Updating", "Degraded"]);

/** Whether the guild has come up once. */
function hasWorked({ status }: DkpGuild, { deployment, report }: Progress): boolean {
  if (past.has(status?.phase)) return true;
  // After Stalled and Suspended the phase no longer tells; that commands were registered once does.
  return !wayUp.has(status?.phase) && deployment !== undefined && report?.commands.state === "Registered";
}

/**
 * Whether nothing is wrong but that a change has not arrived everywhere: each trouble is part of a rollout, or began with a change of spec
 * or within a rollout. Where pods served and none serves any more, that is worse than an update.
 */
function isUpdate(guild: DkpGuild, { deployment }: Progress, unwell: readonly Finding[]): boolean {
  const before = guild.status;
  const served = (before?.readyReplicas ?? 0) > 0 || before?.phase === "Degraded";
  const serves = (deployment?.status?.readyReplicas ?? 0) > 0;
  if (guild.spec.bot.replicas > 0 && served && !serves) return false;
  const changed = before?.observedGeneration !== guild.metadata.generation || before?.phase === "Updating";
  return unwell.every(({ level }) => level === "change" || (changed && level === "progress"));
}
