import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { DkpGuild } from "../crds/dkp-guild.ts";
import { phases, rolloutStates } from "../crds/phases.ts";
import type { DkpGuildStatus } from "../crds/status.ts";
import type { AssignmentsOptions } from "./assignments.ts";
import { backupAges } from "./guild/backup.ts";

/** Counts what became of guilds' leaders, told about each status that is written. */
export type LeaderCounts = (before: DkpGuildStatus | undefined, after: DkpGuildStatus) => void;

/** How often a guild's bots chose another leader. Only the operator that leads writes statuses, so each change is counted once. */
export function leaderCounts(registry: Registry): LeaderCounts {
  const registers = [registry];
  const changes = new Counter({
    name: "dkp_leader_changes_total",
    help: "Terms that pods began as the leader of their guild, the first one not counted.",
    registers,
  });
  const reassignments = new Counter({
    name: "dkp_lease_reassignments_total",
    help: "Guilds whose leadership passed from one pod to another.",
    registers,
  });
  return (before, { leader }) => {
    const old = before?.leader;
    if (old === undefined || leader === undefined) return;
    if (old.pod !== leader.pod || old.term !== leader.term) changes.inc();
    if (old.pod !== leader.pod) reassignments.inc();
  };
}

/** Gauges of guilds, read from the caches when somebody asks for metrics; `perGuild` adds those with a series for each guild. */
export function guildMetrics(
  registry: Registry,
  options: { guilds: () => Iterable<DkpGuild>; clock: () => number; perGuild: boolean },
): void {
  const { guilds, clock } = options;
  counted(registry, "dkp_guilds", "Guilds by phase.", "phase", phases, () => {
    return countBy(guilds(), ({ status }) => status?.phase ?? "Pending");
  });
  counted(
    registry,
    "dkp_rollout_guilds",
    "Guilds by the state of their rollout.",
    "state",
    rolloutStates,
    () => countBy(guilds(), ({ status }) => status?.rollout?.state),
  );
  if (!options.perGuild) return;
  const readiness = { name: "dkp_guild_ready", help: "1 while the guild is Ready." };
  registry.registerMetric(new GuildGauge(readiness, () => readinessOf(guilds())));
  const age = {
    name: "dkp_guild_backup_age_seconds",
    help: "Seconds since the guild's last base backup was completed; no series where there was none.",
  };
  registry.registerMetric(new GuildGauge(age, () => backupAges(guilds(), clock())));
}

function* readinessOf(guilds: Iterable<DkpGuild>): Generator<Measured> {
  for (const { metadata, status } of guilds) {
    const ready = status?.conditions?.find(({ type }) => type === "Ready");
    yield { namespace: metadata.namespace, guild: metadata.name, value: ready?.status === "True" ? 1 : 0 };
  }
}

function countBy(
  guilds: Iterable<DkpGuild>,
  valueOf: (guild: DkpGuild) => string | undefined,
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const guild of guilds) {
    const value = valueOf(guild);
    if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return counts;
}

/** A gauge with a series for each of `values`, also where nothing has it. */
function counted(
  registry: Registry,
  name: string,
  help: string,
  label: string,
  values: readonly string[],
  count: () => Map<string, number>,
): void {
  const gauge: Gauge = new Gauge({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect() {
      const counts = count();
      for (const value of values) gauge.set({ [label]: value }, counts.get(value) ?? 0);
    },
  });
}

type Measured = { namespace: string; guild: string; value: number };

/** A gauge with a series for each guild that has a value, made up when it is read: keeping ten thousand costs ten times as much. */
class GuildGauge extends Gauge {
  readonly #measure: () => Iterable<Measured>;

  constructor(facts: { name: string; help: string }, measure: () => Iterable<Measured>) {
    super({ ...facts, labelNames: ["namespace", "guild"], registers: [] });
    this.#measure = measure;
  }

  /** For JSON. */
  override async get(): ReturnType<Gauge["get"]> {
    const values = Array.from(this.#measure(), ({ namespace, guild, value }) => ({
      labels: { namespace, guild },
      value,
    }));
    return { ...(await super.get()), values };
  }

  /** For text, by a name that the registry looks for. Names of guilds need no escaping, so each line is one string. */
  async getForPromString() {
    const facts = await super.get();
    const values = Array.from(this.#measure(), ({ namespace, guild, value }) => ({
      metricName: `${facts.name}{namespace="${namespace}",guild="${guild}"}`,
      value,
    }));
    return { ...facts, values };
  }
}

/** `dkp_assignments_request_duration_seconds` by path and status. */
export function assignmentsMetrics(registry: Registry): NonNullable<AssignmentsOptions["observe"]> {
  const duration = new Histogram({
    name: "dkp_assignments_request_duration_seconds",
    help: "Time to answer a request at the port of /guild-assignments.",
    labelNames: ["path", "code"],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
    registers: [registry],
  });
  return ({ path, status, seconds }) => duration.observe({ path, code: String(status) }, seconds);
}
