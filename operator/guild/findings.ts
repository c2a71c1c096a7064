import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { Report } from "../../crds/report.ts";
import type { Observation } from "./observation.ts";
import { type Progress, holds, notApplied } from "./progress.ts";

/**
 * What is known about one aspect. "progress": on its way; "change": on its way from one good state to another, as a rollout is; "waiting":
 * needs something from outside and goes on by itself once that is there; "stalled": a person has to act.
 */
export type Finding = {
  level: "ok" | "progress" | "change" | "waiting" | "stalled";
  reason: string;
  message: string;
};

const ok = (reason: string, message: string): Finding => ({ level: "ok", reason, message });
const underWay = (reason: string, message: string): Finding => ({ level: "progress", reason, message });
const change = (reason: string, message: string): Finding => ({ level: "change", reason, message });
const waiting = (reason: string, message: string): Finding => ({ level: "waiting", reason, message });
const stalled = (reason: string, message: string): Finding => ({ level: "stalled", reason, message });

/** What keeps the operator from working on this guild at all. */
export function obstacle(guild: DkpGuild, observation: Observation): Finding | undefined {
  if (observation.conflict !== undefined) {
    const { with: older, over } = observation.conflict;
    const sentence =
      over === "guildId"
        ? `guildId ${guild.spec.guildId} already belongs to DkpGuild ${older}, which is older: delete one of the two`
        : `DkpGuild ${older}, which is older, runs on the same Discord token, and a token serves one bot: put the token of another application into the Secret, or delete one of the two`;
    return stalled("Conflict", sentence);
  }
  if (observation.taken.length > 0) {
    return stalled(
      "NameTaken",
      `${observation.taken.join(", ")} exists and does not belong to this guild: rename or delete it, or rename this DkpGuild`,
    );
  }
  const [refusal] = observation.refusals;
  return refusal === undefined ? undefined : waiting("ApplyFailed", `${refusal} (tried again with backoff)`);
}

/** Phases in which CloudNativePG waits for a person. */
const stuckPhases = new Set([
  "Waiting for user action",
  "Cluster cannot proceed to reconciliation due to an unknown plugin being required",
  "Cluster has incomplete or invalid image catalog",
  "Cluster is unrecoverable and needs manual intervention",
  "Cluster cannot execute instance online upgrade due to missing architecture binary",
  "Invalid cluster definition",
]);

/** Phases in which CloudNativePG carries out what it was told. */
const changePhases = new Set([
  "Switchover in progress",
  "Upgrading cluster",
  "Upgrading Postgres major version",
  "Cluster upgrade delayed",
  "Primary instance is being restarted in-place",
  "Primary instance is being restarted without a switchover",
  "Online upgrade in progress",
  "Applying configuration",
]);

/** What is known about the database. */
export function databaseFinding(guild: DkpGuild, observation: Observation, facts: Progress): Finding {
  const { cluster, databaseReady, database } = facts;
  if (database.mode === "external") {
    return (
      secretFinding(observation, "database") ??
      ok("DatabaseReady", `The database that Secret ${database.secret} leads to is used; its owner runs it`)
    );
  }
  if (database.mode === "shared") return sharedFinding(guild, observation, facts);
  if (observation.absentKinds.has("Cluster")) {
    return waiting(
      "CnpgNotInstalled",
      "CloudNativePG is not installed in this Kubernetes cluster: install it (1.26 or later); the guild goes on by itself",
    );
  }
  if (cluster === undefined) return underWay("Creating", "The database is being created");
  const { phase = "", readyInstances = 0, image } = cluster.status ?? {};
  const { instances = 0, imageName } = cluster.spec ?? {};
  const count = `${readyInstances} of ${instances} PostgreSQL instances are ready`;
  if (databaseReady) {
    // CloudNativePG calls a Cluster ready until it has seen that its spec changed.
    if (readyInstances < instances) return change("DatabaseUpdating", count);
    if (image !== undefined && imageName !== undefined && image !== imageName)
      return change("DatabaseUpdating", `${imageName} is about to be rolled out`);
    return ok(
      "DatabaseReady",
      `${readyInstances} PostgreSQL instance${readyInstances === 1 ? " is" : "s are"} ready`,
    );
  }
  const { name } = cluster.metadata;
  const said = `Cluster ${name} is not ready (${whatIsSaid(cluster)}); see kubectl describe cluster.postgresql.cnpg.io ${name}`;
  if (stuckPhases.has(phase)) return stalled("DatabaseStalled", said);
  if (changePhases.has(phase)) return change("DatabaseUpdating", said);
  return phase === "Failing over" ? waiting("DatabaseNotReady", said) : underWay("DatabaseNotReady", said);
}

function sharedFinding(guild: DkpGuild, observation: Observation, { database }: Progress): Finding {
  if (database.mode !== "shared") throw new Error(`no shared database: ${database.mode}`);
  if (observation.absentKinds.has("DatabaseRole")) {
    return waiting(
      "CnpgTooOld",
      "database.mode shared needs CloudNativePG 1.30 or later, with its kinds Database and DatabaseRole: install or upgrade it; the guild goes on by itself",
    );
  }
  const pending = notApplied(guild, observation);
  const [first] = pending;
  if (pending.length === 0)
    return ok("DatabaseReady", `Database ${database.name} is there in Cluster ${database.cluster}`);
  if (observation.sharedCluster === "missing") {
    return waiting(
      "ClusterMissing",
      `Cluster ${database.cluster}, which spec.database.clusterRef names, does not exist in this namespace: create it; the guild goes on by itself`,
    );
  }
  const said = first?.status?.message ?? "";
  return first?.status?.applied === false
    ? waiting(
        "DatabaseNotReady",
        `CloudNativePG cannot make ${first.kind} ${first.metadata.name} in Cluster ${database.cluster}: ${said}`,
      )
    : underWay("DatabaseNotReady", `The database is being made in Cluster ${database.cluster}`);
}

function whatIsSaid({ status }: NonNullable<Progress["cluster"]>): string {
  const { phase, phaseReason, managedRolesStatus } = status ?? {};
  const refused = Object.entries(managedRolesStatus?.cannotReconcile ?? {}).map(
    ([name, errors]) => `role ${name}: ${errors.join(", ")}`,
  );
  const parts = [phase, phaseReason, ...refused].filter((part) => part !== undefined && part !== "");
  return parts.length === 0 ? "nothing reported yet" : parts.join(": ");
}

/** What is known about the Secrets that spec names; undefined when all are there. */
export function secretFinding(
  observation: Observation,
  of: "discord" | "database" = "discord",
): Finding | undefined {
  const missing = observation.secrets.find(({ use, state }) => use === of && state !== "present");
  if (missing === undefined) return undefined;
  return missing.state === "secretMissing"
    ? waiting(
        "SecretMissing",
        `Secret ${missing.secret} does not exist: create it with the key ${missing.key}`,
      )
    : waiting(
        "SecretMissing",
        `Secret ${missing.secret} has no key ${missing.key}: add it, or name another key in spec.${of}`,
      );
}

/** What Discord says to the bot, where that is what keeps it from working. */
function discordFinding(guild: DkpGuild, { report }: Progress): Finding | undefined {
  const { tokenSecretRef } = guild.spec.discord;
  const token = `Secret ${tokenSecretRef?.name ?? "?"}, key ${tokenSecretRef?.key ?? "?"}`;
  const said = report?.discord.message ?? "";
  const tail = said === "" ? "" : ` (${said})`;
  const findings: Record<Report["discord"]["state"], Finding | undefined> = {
    TokenInvalid: stalled(
      "TokenInvalid",
      `Discord refuses the token in ${token}: put the bot's present token there; no restart is needed${tail}`,
    ),
    IntentsRefused: stalled(
      "IntentsRefused",
      `Discord refuses the bot's intents: allow them in the Developer Portal under Bot${tail}`,
    ),
    NotInGuild: stalled(
      "NotInGuild",
      `The bot is not a member of guild ${guild.spec.guildId}: invite it, or correct guildId by a new DkpGuild${tail}`,
    ),
    IdentifyBudget: waiting(
      "IdentifyBudget",
      `Discord allows no further session today; the bot waits for the next${tail}`,
    ),
    Unreachable: waiting("DiscordUnreachable", `The bot cannot reach Discord and goes on trying${tail}`),
    Connected: undefined,
    Connecting: undefined,
  };
  return findings[report?.discord.state ?? "Connecting"];
}

function migrationFinding({ image, jobFailure, migration }: Progress): Finding | undefined {
  if (migration === "complete") return undefined;
  if (jobFailure === undefined)
    return change(
      "Migrating",
      `The database is being migrated for ${image}, then the commands are registered`,
    );
  const message = `${jobFailure.message}; it is tried again`;
  return jobFailure.step === "setup" ? stalled("SetupFailed", message) : stalled("MigrationFailed", message);
}

/** What is known about the bot's pods. */
export function botFinding(guild: DkpGuild, observation: Observation, facts: Progress): Finding {
  const missing = secretFinding(observation);
  if (missing !== undefined) return missing;
  const { deployment, report } = facts;
  if (deployment === undefined && !facts.databaseReady)
    return underWay("WaitingForDatabase", "The bot starts once its database is ready");
  const problem = problemOf(observation);
  const migrating = migrationFinding(facts);
  if (migrating !== undefined && facts.migration === "failed") return migrating;
  if (migrating !== undefined && (facts.databaseReady || deployment === undefined)) {
    return problem === undefined ? migrating : stalled(problem.reason, problem.message);
  }
  if (deployment === undefined) return underWay("Deploying", "The bot's pods are being created");
  if (report?.database.state === "WrongLedger") {
    return stalled(
      "WrongLedger",
      `The database holds another guild's ledger, so the bot refuses it: ${report.database.message}`,
    );
  }
  return rolloutFinding(guild, facts, problem) ?? discordFinding(guild, facts) ?? available(guild);
}

function available(guild: DkpGuild): Finding {
  const { replicas } = guild.spec.bot;
  return replicas === 0
    ? ok("ScaledToZero", "No pods are wanted")
    : ok("BotReady", `All ${replicas} pods are ready`);
}

function problemOf({ podProblem }: Observation): { reason: string; message: string } | undefined {
  if (podProblem === undefined) return undefined;
  const { pod, reason, message } = podProblem;
  return { reason, message: `Pod ${pod} does not start: ${reason}${message === "" ? "" : `: ${message}`}` };
}

function rolloutFinding(
  guild: DkpGuild,
  facts: Progress,
  problem: { reason: string; message: string } | undefined,
): Finding | undefined {
  const { deployment, report } = facts;
  const wanted = guild.spec.bot.replicas;
  const { updatedReplicas = 0, availableReplicas = 0, replicas = 0 } = deployment?.status ?? {};
  const seen = isSeen(deployment);
  if (seen && updatedReplicas >= wanted && availableReplicas >= wanted && replicas <= wanted)
    return undefined;
  // What the bot knows of Discord explains pods that are not ready better than their not being ready does.
  const discord = discordFinding(guild, facts);
  if (discord?.level === "stalled") return discord;
  if (problem !== undefined) return stalled(problem.reason, problem.message);
  const progressing = deployment?.status?.conditions?.find(({ type }) => type === "Progressing");
  if (progressing?.reason === "ProgressDeadlineExceeded") {
    return stalled(
      "ProgressDeadlineExceeded",
      `The pods do not become ready in time: ${progressing.message ?? ""}; see kubectl describe deployment ${deployment?.metadata.name}`,
    );
  }
  const failure = holds(deployment, "ReplicaFailure");
  if (failure !== undefined)
    return waiting("ReplicaFailure", `Pods cannot be created: ${failure.message ?? ""}`);
  if (availableReplicas < wanted && report?.database.state === "Unreachable" && facts.databaseReady) {
    return waiting("DatabaseUnreachable", `The bot cannot reach its database: ${report.database.message}`);
  }
  const ready = `${Math.min(availableReplicas, wanted)} of ${wanted} pods are ready`;
  // With as many pods of the new version as there are pods, one that is not ready is one that failed.
  if (seen && updatedReplicas >= replicas && replicas <= wanted) return underWay("PodsNotReady", ready);
  const renewed = seen ? Math.min(updatedReplicas, wanted) : 0;
  return change("Deploying", `${renewed} of ${wanted} pods are of the new version; ${ready}`);
}

/** Whether the Deployment's status is about its present spec. */
function isSeen(deployment: Progress["deployment"]): boolean {
  return (deployment?.status?.observedGeneration ?? 0) >= (deployment?.metadata.generation ?? 0);
}

const registered = "CommandsRegistered";

/**
 * What is known about the slash commands. Discord keeps them, so neither a new leader that has yet to look at them ("Pending") nor a
 * report that was lost takes back what was known before.
 */
export function commandsFinding(guild: DkpGuild, { report }: Progress): Finding {
  if (guild.spec.bot.replicas === 0)
    return ok("ScaledToZero", "No pods are wanted, so commands stay as they are");
  const { state = "Pending", count = 0, message = "" } = report?.commands ?? {};
  if (state === "Registered") return ok(registered, `${count} commands are registered`);
  if (state === "Failed") return waiting("RegistrationFailed", `Discord refuses the commands: ${message}`);
  const before = guild.status?.conditions?.find(({ type }) => type === registered);
  if (before?.status === "True" && before.reason === registered) return ok(registered, before.message);
  if (report === undefined) return underWay("NoReport", "The bot has not reported yet");
  return change("CommandsPending", message === "" ? "The commands are being registered" : message);
}
