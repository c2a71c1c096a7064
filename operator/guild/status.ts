import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { Condition, DkpGuildStatus } from "../../crds/status.ts";
import { backupFinding, backupStatus } from "./backup-status.ts";
import { type Finding, botFinding, commandsFinding, databaseFinding, obstacle } from "./findings.ts";
import { footprint } from "./footprint.ts";
import { sleepFinding } from "./hibernation.ts";
import { botSelector, selectorText } from "./names.ts";
import type { Observation } from "./observation.ts";
import { restoreFinding } from "./restore-status.ts";
import { phase } from "./phase.ts";
import type { Progress } from "./progress.ts";
import type { Rollout } from "./rollout.ts";
import { healthyImage, rolloutFinding, verdict } from "./verdict.ts";
import { timestamp } from "./time.ts";

type Findings = {
  obstacle: Finding | undefined;
  restore: Finding | undefined;
  database: Finding;
  bot: Finding;
  commands: Finding;
  /** Not part of Ready: a guild without backups serves its members all the same. */
  backup: Finding | undefined;
};

/**
 * The status of a guild, as kstatus reads it: Ready says whether all is well, Reconciling that it is on its way, Stalled that a person has
 * to act. A rollout is on its way too, though old pods serve: who waits for a change waits until it has arrived. Times of conditions that did not change are kept, so that an unchanged guild has an unchanged status.
 */
export function status(guild: DkpGuild, observation: Observation, facts: Progress): DkpGuildStatus {
  const findings = {
    obstacle: obstacle(guild, observation),
    restore: restoreFinding(observation, facts),
    database: databaseFinding(guild, observation, facts),
    bot: botFinding(guild, observation, facts),
    commands: commandsFinding(guild, facts),
    backup: backupFinding(guild, observation, facts),
  };
  const rollout = verdict(guild, observation, facts, findings);
  const healthy = healthyImage(guild, facts, findings, rollout);
  const sleep = sleepFinding(guild, observation, facts);
  if (sleep !== undefined)
    findings.database = { ...sleep, level: sleep.level === "ok" ? "change" : sleep.level };
  const unwell =
    sleep === undefined || findings.obstacle !== undefined
      ? troubles(findings, rolloutFinding(guild, facts, rollout))
      : [sleep].filter(({ level }) => level !== "ok");
  const worst: Finding = unwell[0] ??
    sleep ?? { level: "ok", reason: "Ready", message: "The bot runs and serves commands" };
  return {
    observedGeneration: guild.metadata.generation,
    phase: phase(guild, observation, facts, unwell),
    conditions: conditions(guild, observation, findings, worst, rollout),
    replicas: facts.deployment?.status?.replicas ?? 0,
    readyReplicas: facts.deployment?.status?.readyReplicas ?? 0,
    selector: selectorText(botSelector(guild.metadata.name)),
    image: facts.rolledOut ?? facts.image,
    ...(healthy === undefined ? {} : { lastHealthyImage: healthy }),
    ...(rollout === undefined ? {} : { rollout }),
    ...(observation.tokenHash === undefined ? {} : { tokenHash: observation.tokenHash }),
    ...leader(facts),
    ...databaseStatus(facts),
    ...backupStatus(guild, observation, facts, findings.backup),
    footprint: footprint(observation.children.values()),
  };
}

/** What is not well: what a person has to act on, then the rest in the order in which a guild comes up. */
function troubles(
  { obstacle, restore, database, bot, commands }: Findings,
  rollout: Finding | undefined,
): Finding[] {
  const usual = [restore, database, bot, commands];
  // That a rollout failed says more than what came of it.
  const inOrder = rollout?.level === "stalled" ? [rollout, ...usual] : [...usual, rollout];
  const all = (obstacle === undefined ? inOrder : [obstacle])
    .filter((finding) => finding !== undefined)
    .filter(({ level }) => level !== "ok");
  return all.toSorted((a, b) => Number(b.level === "stalled") - Number(a.level === "stalled"));
}

function conditions(
  guild: DkpGuild,
  { nowMs, farewell }: Observation,
  findings: Findings,
  worst: Finding,
  rollout: Rollout | undefined,
): Condition[] {
  const { suspend } = guild.spec;
  const deleting = guild.metadata.deletionTimestamp !== undefined;
  const reconciling = !suspend && worst.level !== "ok" && worst.level !== "stalled";
  const rest = suspend
    ? { reason: "Suspended", message: "spec.suspend is set: nothing is changed until it is removed" }
    : {
        reason: worst.level === "ok" ? "Done" : worst.reason,
        message: worst.level === "ok" ? "Nothing is left to do" : worst.message,
      };
  const ready = deleting
    ? { level: "progress" as const, reason: "Deleting", message: farewell ?? "The guild is being deleted" }
    : worst;
  const drafts = [
    draft("Ready", ready),
    { type: "Reconciling", status: reconciling || deleting, ...(deleting ? ready : rest) },
    { type: "Stalled", status: !suspend && !deleting && worst.level === "stalled", ...rest },
    draft("DatabaseReady", findings.database),
    draft("BotReady", findings.bot),
    draft("CommandsRegistered", findings.commands),
    ...(findings.backup === undefined ? [] : [draft("BackupReady", findings.backup)]),
    // There is nothing to say of it where nothing failed.
    ...(rollout?.state === "Failed"
      ? [
          {
            type: "RolloutFailed",
            status: true,
            reason: "ImageFailed",
            message: `${rollout.image}: ${rollout.message ?? ""}`,
          },
        ]
      : []),
  ];
  return drafts.map((fresh) => dated(guild, nowMs, fresh));
}

type Draft = { type: string; status: boolean; reason: string; message: string };

function draft(type: string, finding: Finding): Draft {
  return { type, status: finding.level === "ok", reason: finding.reason, message: finding.message };
}

function dated(guild: DkpGuild, nowMs: number, fresh: Draft): Condition {
  const status = fresh.status ? "True" : "False";
  const before = guild.status?.conditions?.find(({ type }) => type === fresh.type);
  const now = timestamp(nowMs);
  return {
    type: fresh.type,
    status,
    reason: fresh.reason,
    message: fresh.message.slice(0, 1_024),
    observedGeneration: guild.metadata.generation,
    lastTransitionTime: before?.status === status ? before.lastTransitionTime : now,
  };
}

function leader({ report }: Progress): Pick<DkpGuildStatus, "leader"> {
  return report === undefined
    ? {}
    : { leader: { pod: report.leader, term: report.term, since: report.since } };
}

function databaseStatus({ cluster, database }: Progress): Pick<DkpGuildStatus, "database"> {
  const { mode } = database;
  if (mode === "external") return { database: { mode, summary: mode } };
  if (mode === "shared") return { database: { mode, cluster: database.cluster, summary: mode } };
  if (cluster === undefined) return {};
  const { phase, instances = 0, readyInstances = 0, currentPrimary } = cluster.status ?? {};
  const wanted = cluster.spec?.instances ?? instances;
  return {
    database: {
      mode,
      cluster: cluster.metadata.name,
      instances,
      readyInstances,
      summary: `${readyInstances}/${wanted}`,
      ...(phase === undefined ? {} : { phase }),
      ...(currentPrimary === undefined ? {} : { primary: currentPrimary }),
    },
  };
}
