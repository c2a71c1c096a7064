import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { Call, Command } from "./command.ts";
import { type EventObject, type PodObject, allGuilds, eventsOf, namedGuild, podsOf, seenAt } from "./read.ts";
import { type Terminal, ago, paint, table } from "./terminal.ts";

function readiness(guild: DkpGuild) {
  return guild.status?.conditions?.find(({ type }) => type === "Ready");
}

/** The name of a phase in the colour of how urgent it is. */
function coloured(terminal: Terminal, guild: DkpGuild): string {
  const phase = guild.status?.phase ?? "Pending";
  if (phase === "Ready") return paint(terminal, "green", phase);
  return paint(terminal, phase === "Stalled" || phase === "Degraded" ? "red" : "yellow", phase);
}

function row(guild: DkpGuild, nowMs: number, everywhere: boolean): string[] {
  const { metadata, spec, status } = guild;
  return [
    ...(everywhere ? [metadata.namespace] : []),
    metadata.name,
    spec.guildId,
    status?.phase ?? "Pending",
    `${status?.readyReplicas ?? 0}/${spec.bot.replicas}`,
    status?.leader?.pod ?? "-",
    status?.database?.summary ?? "-",
    spec.backup === undefined ? "none" : ago(status?.backup?.lastSuccess, nowMs),
    status?.rollout?.state ?? "-",
    ago(metadata.creationTimestamp, nowMs),
  ];
}

async function statusOfAll({ client, namespace, terminal, json, clock }: Call): Promise<number> {
  const guilds = await allGuilds(client, namespace);
  if (json) {
    terminal.say(JSON.stringify(guilds.map(facts), undefined, 2));
    return 0;
  }
  if (guilds.length === 0) {
    terminal.note(
      `There are no guilds${namespace === undefined ? "" : ` in namespace ${namespace}; -A looks everywhere`}.`,
    );
    return 0;
  }
  const everywhere = namespace === undefined;
  const headings = ["NAME", "GUILD", "PHASE", "PODS", "LEADER", "DB", "BACKUP", "ROLLOUT", "AGE"];
  const rows = guilds.map((guild) => row(guild, clock(), everywhere));
  const [heading = "", ...lines] = table(everywhere ? ["NAMESPACE", ...headings] : headings, rows);
  terminal.say(paint(terminal, "bold", heading));
  for (const [index, line] of lines.entries()) {
    const guild = guilds[index];
    const phase = guild?.status?.phase ?? "Pending";
    terminal.say(guild === undefined ? line : line.replace(` ${phase} `, ` ${coloured(terminal, guild)} `));
  }
  return 0;
}

function facts({ metadata, spec, status }: DkpGuild) {
  return { namespace: metadata.namespace, name: metadata.name, guildId: spec.guildId, status: status ?? {} };
}

function podRow({ metadata, status, spec }: PodObject, nowMs: number): string[] {
  const { initContainerStatuses = [], containerStatuses: containers = [], phase = "Unknown" } = status ?? {};
  const waiting = [...initContainerStatuses, ...containers].find(({ state }) => state?.waiting !== undefined);
  // What never began, because what came first failed, waits for nothing any more.
  const isOver = phase === "Failed" || phase === "Succeeded";
  const restarts = containers.reduce((sum, { restartCount = 0 }) => sum + restartCount, 0);
  return [
    metadata.name,
    `${containers.filter(({ ready }) => ready === true).length}/${containers.length}`,
    (isOver ? undefined : waiting?.state?.waiting?.reason) ?? phase,
    String(restarts),
    spec?.nodeName ?? "-",
    ago(metadata.creationTimestamp, nowMs),
  ];
}

function backupLine({ spec, status }: DkpGuild, nowMs: number): string {
  if (spec.backup === undefined) return "none (spec.backup is not set)";
  const { lastSuccess, firstRecoverable, next, message } = status?.backup ?? {};
  const parts = [
    lastSuccess === undefined ? "none yet" : `last ${lastSuccess} (${ago(lastSuccess, nowMs)} ago)`,
    ...(firstRecoverable === undefined ? [] : [`restorable from ${firstRecoverable}`]),
    ...(next === undefined ? [] : [`next ${next}`]),
    ...(message === undefined ? [] : [message]),
  ];
  return parts.join(", ");
}

function summary(terminal: Terminal, guild: DkpGuild, nowMs: number): [string, string][] {
  const { metadata, spec, status } = guild;
  const { leader, database, rollout, footprint } = status ?? {};
  const ready = readiness(guild);
  const since = ready === undefined ? "" : `, since ${ago(ready.lastTransitionTime, nowMs)}`;
  return [
    ["Guild", `${metadata.namespace}/${metadata.name} (Discord ${spec.guildId})`],
    [
      "Phase",
      `${coloured(terminal, guild)}${since}${ready?.status === "True" ? "" : `: ${ready?.message ?? "the operator has not looked yet"}`}`,
    ],
    ["Mode", spec.suspend ? `${spec.mode}, paused: the operator changes nothing` : spec.mode],
    ["Pods", `${status?.readyReplicas ?? 0} of ${spec.bot.replicas} ready, image ${status?.image ?? "-"}`],
    [
      "Leader",
      leader === undefined ? "none" : `${leader.pod}, term ${leader.term}, since ${ago(leader.since, nowMs)}`,
    ],
    [
      "Database",
      [database?.mode ?? spec.database.mode, database?.cluster, database?.summary, database?.phase]
        .filter((part) => part !== undefined)
        .join(", "),
    ],
    ["Backup", backupLine(guild, nowMs)],
    [
      "Rollout",
      rollout === undefined
        ? "none"
        : [`${rollout.state} ${rollout.image}`, rollout.message]
            .filter((part) => part !== undefined)
            .join(": "),
    ],
    [
      "Requests",
      footprint === undefined
        ? "-"
        : `cpu ${footprint.cpu}, memory ${footprint.memory}, storage ${footprint.storage}`,
    ],
  ];
}

function eventRow(event: EventObject, nowMs: number): string[] {
  return [ago(seenAt(event), nowMs), event.type ?? "", event.reason ?? "", event.note ?? ""];
}

async function statusOfOne(call: Call): Promise<number> {
  const { client, terminal, clock } = call;
  const guild = await namedGuild(call);
  const [pods, events] = await Promise.all([podsOf(client, guild), eventsOf(client, guild)]);
  if (call.json) {
    const told = events.map(({ type, reason, note, ...event }) => ({
      type,
      reason,
      note,
      at: seenAt(event),
    }));
    const names = pods.map(({ metadata, status }) => ({ name: metadata.name, phase: status?.phase }));
    terminal.say(JSON.stringify({ ...facts(guild), pods: names, events: told }, undefined, 2));
    return 0;
  }
  const nowMs = clock();
  for (const [name, text] of summary(terminal, guild, nowMs))
    terminal.say(`${paint(terminal, "bold", `${name}:`.padEnd(10))} ${text}`);
  if (pods.length > 0) {
    terminal.say("");
    const headings = ["POD", "READY", "STATUS", "RESTARTS", "NODE", "AGE"];
    for (const line of table(
      headings,
      pods.map((pod) => podRow(pod, nowMs)),
    ))
      terminal.say(line);
  }
  if (events.length > 0) {
    terminal.say("");
    const rows = events.slice(0, 8).map((event) => eventRow(event, nowMs));
    for (const line of table(["SEEN", "TYPE", "REASON", "MESSAGE"], rows)) terminal.say(line);
  }
  return 0;
}

export const status: Command = {
  summary: "show guilds in a table, or one in detail",
  synopsis: "[GUILD]",
  positionals: [0, 1],
  details:
    "Without a name all guilds of the namespace, with -A those of all namespaces. With a name: its phase and why, pods, leader,\ndatabase, backup, rollout, what it requests, and the last Events.",
  options: {},
  run: (call) => (call.positionals.length === 0 ? statusOfAll(call) : statusOfOne(call)),
};
