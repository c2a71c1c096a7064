import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { type EventObject, type PodObject, seenAt } from "./read.ts";

/** Something that is wrong with a guild, and what to do about it. */
export type Complaint = {
  /** 0 is the worst: a person has to act. 1: something that worked does not. 2: on its way. 3: worth knowing. */
  rank: 0 | 1 | 2 | 3;
  what: string;
  next?: string;
};

type Evidence = {
  guild: DkpGuild;
  pods: readonly PodObject[];
  events: readonly EventObject[];
  /** Pods of the operator that are ready; undefined where nobody may look. */
  operators: number | undefined;
  nowMs: number;
};

const jobLogs = "kubectl -n NS logs -l app.kubernetes.io/instance=NAME,app.kubernetes.io/component=migrate";

/** What to do about a reason, with NAME for the guild's name and NS for its namespace. */
const nextSteps: Record<string, string> = {
  SecretMissing: "kubectl -n NS create secret generic SECRET --from-file=KEY=FILE",
  TokenInvalid: "reset the token in the Discord developer portal and put it into the Secret",
  IntentsRefused: "allow the bot's intents in the Discord developer portal, under Bot",
  NotInGuild: "invite the bot to the server with the scopes bot and applications.commands",
  MigrationFailed: `${jobLogs} -c migrate`,
  SetupFailed: `${jobLogs} -c setup`,
  CnpgNotInstalled: "kubectl apply --server-side -k config/cnpg",
  DatabaseNotReady: "kubectl -n NS describe clusters.postgresql.cnpg.io -l dkp.dev/guild=NAME",
  DatabaseStalled: "kubectl -n NS describe clusters.postgresql.cnpg.io -l dkp.dev/guild=NAME",
  ProgressDeadlineExceeded: "kubectl -n NS describe deployment NAME-bot",
  ReplicaFailure: "kubectl -n NS describe replicaset -l app.kubernetes.io/instance=NAME",
  CrashLoopBackOff: "kubectl -n NS logs -l app.kubernetes.io/instance=NAME --previous",
  ImagePullBackOff: "see that the image exists and that the nodes may pull it",
  ErrImagePull: "see that the image exists and that the nodes may pull it",
  Unschedulable: "give the cluster room, or the guild a smaller size or another placement",
};

/** What waits for somebody else, and goes on by itself once that is done. */
const forPeople = new Set(["SecretMissing", "CnpgNotInstalled"]);

function nextStep(reason: string, { metadata }: DkpGuild, message = ""): { next?: string } {
  const [, secret = "SECRET", key = "KEY"] = /Secret (\S+) .*key ([^\s:,]+)/.exec(message) ?? [];
  const words: Record<string, string> = {
    NS: metadata.namespace,
    NAME: metadata.name,
    SECRET: secret,
    KEY: key,
  };
  const step = nextSteps[reason];
  if (step === undefined) return {};
  return { next: step.replaceAll(/\b(NS|NAME|SECRET|KEY)\b/g, (word) => words[word] ?? word) };
}

function ofOperator({ guild, operators }: Evidence): Complaint[] {
  const seen = guild.status?.observedGeneration ?? -1;
  if (operators === 0)
    return [
      {
        rank: 0,
        what: "No operator is running, so nothing is looked after",
        next: "kubectl get pods -A -l app.kubernetes.io/name=dkp-operator",
      },
    ];
  if (seen >= guild.metadata.generation) return [];
  const what =
    seen < 0
      ? "The operator has not looked at this guild yet"
      : "The operator has not seen the last change of spec yet";
  return [{ rank: 2, what, next: "kubectl logs -A -l app.kubernetes.io/name=dkp-operator, if that lasts" }];
}

function ofSpec({ spec, metadata }: DkpGuild): Complaint[] {
  const found: Complaint[] = [];
  if (metadata.deletionTimestamp !== undefined)
    found.push({ rank: 2, what: "The guild is being deleted; its finalizers are seen to first" });
  if (spec.suspend)
    found.push({
      rank: 2,
      what: "The guild is paused (spec.suspend): the operator changes nothing, whatever is wrong",
      next: `kubectl dkp resume ${metadata.name} -n ${metadata.namespace}`,
    });
  if (spec.mode !== "active")
    found.push({ rank: 3, what: `The bot is in mode ${spec.mode} and refuses commands` });
  if (spec.bot.replicas === 0) found.push({ rank: 3, what: "No pods are wanted (spec.bot.replicas is 0)" });
  return found;
}

/** Ready, Reconciling and Stalled repeat what the others say, unless they alone say it. */
const summaries = new Set(["Reconciling", "Stalled"]);

function ofConditions({ guild }: Evidence): Complaint[] {
  const { phase, conditions = [] } = guild.status ?? {};
  const rank = phase === "Stalled" ? 0 : phase === "Degraded" ? 1 : 2;
  const bad = conditions.filter(({ type, status }) =>
    type === "RolloutFailed" ? status === "True" : status === "False" && !summaries.has(type),
  );
  const ready = bad.find(({ type }) => type === "Ready");
  // The worst of all, which Ready tells, comes first.
  const ordered = ready === undefined ? bad : [ready, ...bad.filter((one) => one !== ready)];
  const once = ordered.filter(
    ({ message }, index) => ordered.findIndex((other) => other.message === message) === index,
  );
  return once.map((condition, index) => ({
    rank: forPeople.has(condition.reason)
      ? 0
      : index === 0 || condition.type === "RolloutFailed"
        ? rank
        : worseOf(rank, 1),
    what: `${condition.reason}: ${condition.message}`,
    ...nextStep(condition.reason, guild, condition.message),
  }));
}

/** What follows from the worst is never put above it. */
function worseOf(rank: Complaint["rank"], least: Complaint["rank"]): Complaint["rank"] {
  return rank < least ? least : rank;
}

const harmless = new Set(["ContainerCreating", "PodInitializing", "Completed"]);

function ofPods({ guild, pods }: Evidence): Complaint[] {
  return pods.flatMap((pod): Complaint[] => {
    const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
    const { reason = "", message = "" } =
      [...initContainerStatuses, ...containerStatuses]
        .map(({ state }) => state?.waiting)
        .find((waiting) => waiting?.reason !== undefined && !harmless.has(waiting.reason)) ?? {};
    if (reason !== "") {
      const what = `Pod ${pod.metadata.name} waits: ${reason}${message === "" ? "" : `: ${message}`}`;
      return [{ rank: 1, what, ...nextStep(reason, guild) }];
    }
    const unscheduled = pod.status?.conditions?.find(
      ({ type, status }) => type === "PodScheduled" && status === "False",
    );
    if (unscheduled === undefined) return [];
    const what = `Pod ${pod.metadata.name} has no node: ${unscheduled.message ?? ""}`;
    return [{ rank: 1, what, ...nextStep("Unschedulable", guild) }];
  });
}

function ofBackup({ guild, nowMs }: Evidence): Complaint[] {
  const { backup, database } = guild.spec;
  if (backup === undefined)
    return database.mode === "dedicated"
      ? [{ rank: 3, what: "The guild has no backups", next: "set spec.backup" }]
      : [];
  const last = guild.status?.backup?.lastSuccess;
  const dayMs = 26 * 3_600_000;
  if (
    !backup.enabled ||
    last === undefined ||
    nowMs - Date.parse(last) < dayMs ||
    backup.schedule !== undefined
  )
    return [];
  return [
    {
      rank: 1,
      what: `The last backup is of ${last}, more than a day ago`,
      next: `kubectl dkp backup ${guild.metadata.name} -n ${guild.metadata.namespace} --wait`,
    },
  ];
}

const hourMs = 3_600_000;

/** Warnings of the last hour that no condition tells any more. */
function ofEvents({ events, guild, nowMs }: Evidence): Complaint[] {
  const told = new Set((guild.status?.conditions ?? []).map(({ message }) => message));
  const recent = events.filter(
    (event) =>
      event.type === "Warning" && !told.has(event.note ?? "") && nowMs - Date.parse(seenAt(event)) < hourMs,
  );
  return recent.slice(0, 3).map((event) => ({
    rank: 3,
    what: `At ${seenAt(event).slice(0, 19)} there was ${event.reason ?? "a warning"}: ${event.note ?? ""}`,
  }));
}

/** All that is wrong with a guild, the worst first; each thing once. */
export function diagnosis(evidence: Evidence): Complaint[] {
  const all = [
    ...ofOperator(evidence),
    ...ofConditions(evidence),
    ...ofSpec(evidence.guild),
    ...ofPods(evidence),
    ...ofBackup(evidence),
    ...ofEvents(evidence),
  ];
  const said = all.map(({ what }) => what);
  // A pod's own words are often part of what a condition says already.
  const once = all.filter(({ what }, index) => {
    const [pod] = /^Pod \S+/.exec(what) ?? [];
    return pod === undefined || !said.slice(0, index).some((before) => before.includes(pod));
  });
  return once.toSorted((a, b) => a.rank - b.rank);
}
