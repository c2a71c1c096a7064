import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { Finding } from "./findings.ts";
import type { Observation, PodProblem } from "./observation.ts";
import type { Progress } from "./progress.ts";
import { type Rollout, isResting, retryAnnotation, step } from "./rollout.ts";

/** How long a rollout may take, whatever holds it up. */
const deadlineMs = 15 * 60_000;
/** How long an image may refuse to be pulled: registries have their hiccups. */
const pullPatienceMs = 30_000;
/** How long a report from the new pods is waited for once they are all ready. */
const reportPatienceMs = 60_000;

type Findings = { database: Finding; bot: Finding; commands: Finding };

/**
 * What has become of a rollout that is under way: Done when the new pods are ready and report, Failed when they will not be. While so many
 * guilds are unwell that no image can be blamed, nothing is judged.
 */
export function verdict(
  guild: DkpGuild,
  observation: Observation,
  facts: Progress,
  findings: Findings,
): Rollout | undefined {
  const { rollout, nowMs } = observation;
  if (rollout?.state !== "Progressing" || rollout.image !== facts.wanted || isResting(guild)) return rollout;
  const { database, bot, commands } = findings;
  if ([database, bot, commands].every(({ level }) => level === "ok") && hasArrived(observation, facts))
    return step(rollout, { image: rollout.image, state: "Done" }, nowMs);
  const failure = observation.isOutage === true ? undefined : failureOf(rollout, observation, facts, bot);
  return failure === undefined
    ? rollout
    : step(rollout, { image: rollout.image, state: "Failed", message: failure }, nowMs);
}

/** The image that serves with every pod ready; the one before while that is not so. */
export function healthyImage(
  guild: DkpGuild,
  facts: Progress,
  findings: Findings,
  rollout: Rollout | undefined,
): string | undefined {
  const before = guild.status?.lastHealthyImage;
  const { rolledOut } = facts;
  const isWell = [findings.database, findings.bot, findings.commands].every(({ level }) => level === "ok");
  if (!isWell || isResting(guild) || rolledOut === undefined || rolledOut !== facts.image) return before;
  // What is under way is healthy once it is done.
  return rollout?.image === rolledOut && rollout.state !== "Done" ? before : rolledOut;
}

/** What is said about a rollout that has not arrived: nothing for a guild that merely waits for the operator's next image. */
export function rolloutFinding(
  guild: DkpGuild,
  facts: Progress,
  rollout: Rollout | undefined,
): Finding | undefined {
  if (rollout === undefined || rollout.image !== facts.wanted || rollout.state === "Done") return undefined;
  const { image, state, message = "" } = rollout;
  if (state === "Failed")
    return {
      level: "stalled",
      reason: "RolloutFailed",
      message: `${image} failed: ${message.slice(0, 400)}. The bot is back on ${guild.status?.lastHealthyImage ?? facts.image}: set another image, or try once more: kubectl annotate guild ${guild.metadata.name} ${retryAnnotation}=now`,
    };
  if (isResting(guild)) return undefined;
  if (state === "Waiting")
    return guild.spec.bot.image === undefined
      ? undefined
      : { level: "change", reason: "RolloutWaiting", message };
  return { level: "change", reason: "Deploying", message: `The new pods, of ${image}, have yet to report` };
}

function hasArrived({ nowMs }: Observation, facts: Progress): boolean {
  const { deployment, report } = facts;
  if (facts.rolledOut !== facts.wanted) return false;
  const progressing = deployment?.status?.conditions?.find(({ type }) => type === "Progressing");
  const [, replicaSet] = /ReplicaSet "([^"]+)"/.exec(progressing?.message ?? "") ?? [];
  if (report === undefined || replicaSet === undefined) return true;
  if (report.leader.startsWith(`${replicaSet}-`)) return true;
  return nowMs - (Date.parse(progressing?.lastUpdateTime ?? "") || 0) >= reportPatienceMs;
}

/** A sentence, if the image is to blame or the time is over. */
function failureOf(
  rollout: Rollout,
  { podProblem, nowMs }: Observation,
  facts: Progress,
  bot: Finding,
): string | undefined {
  const { deployment, jobFailure } = facts;
  if (jobFailure !== undefined) return jobFailure.message;
  const progressing = deployment?.status?.conditions?.find(({ type }) => type === "Progressing");
  const isSeen = (deployment?.status?.observedGeneration ?? 0) >= (deployment?.metadata.generation ?? 0);
  const isLate = isSeen && facts.rolledOut === rollout.image;
  if (podProblem?.image === rollout.image && isFatal(podProblem, nowMs, rollout))
    return `pod ${podProblem.pod} does not start: ${podProblem.reason}${podProblem.message === "" ? "" : `: ${podProblem.message}`}`;
  if (isLate && facts.databaseReady && progressing?.reason === "ProgressDeadlineExceeded")
    return `the pods do not become ready in time (${bot.message})`;
  const sinceMs = Date.parse(rollout.since ?? "") || nowMs;
  return nowMs - sinceMs >= deadlineMs ? `it was not ready within 15 minutes (${bot.message})` : undefined;
}

const pulling = new Set(["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable"]);

function isFatal({ reason, restarts = 0 }: PodProblem, nowMs: number, { since = "" }: Rollout): boolean {
  if (reason === "CrashLoopBackOff") return restarts >= 2;
  if (pulling.has(reason)) return nowMs - (Date.parse(since) || 0) >= pullPatienceMs;
  return reason === "InvalidImageName" || reason === "RunContainerError" || reason === "CreateContainerError";
}
