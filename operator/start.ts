import { randomBytes } from "node:crypto";
import type { KubeClient } from "../runtime/kube/client.ts";
import { eventRecorder } from "../runtime/kube/event.ts";
import { electLeader } from "../runtime/kube/lease.ts";
import { objectKey, refOfKey } from "../runtime/kube/object.ts";
import { type WorkQueue, type WorkQueueMetrics, workQueue } from "../runtime/kube/work-queue.ts";
import type { Logger } from "../runtime/log.ts";
import type { Telemetry } from "../runtime/telemetry.ts";
import type { LeaderCounts } from "./guild-metrics.ts";
import type { GuildSettings } from "./guild/settings.ts";
import { type LeaseRound, leaseRound } from "./leases.ts";
import { type Reconciler, reconcile } from "./reconcile.ts";
import { openRollouts } from "./rollouts.ts";
import { secretReader } from "./secrets.ts";
import { statusWriter } from "./status-writer.ts";
import { type World, openWorld } from "./world.ts";

export type OperatorOptions = {
  client: KubeClient;
  settings: GuildSettings;
  /** Empty: all namespaces. */
  namespaces: readonly string[];
  workers: number;
  /** Unique to this process. */
  identity: string;
  /** Stands for a Lease of this name; without it this process leads at once, which tests make use of. */
  election?: {
    namespace: string;
    name: string;
    leaseDurationMs: number;
    renewDeadlineMs: number;
    retryPeriodMs: number;
  };
  /** 25 s by default: what nobody watches is noticed within half a minute. */
  recheckMs?: number;
  /** 5 min by default. */
  resyncMs?: number;
  /** Between two lists of Leases, 30 s by default. */
  leasePeriodMs?: number;
  /** How long a Secret that was there is believed to be there; by default 4 min where all is well, 20 s where not. */
  secretMemoryMs?: number;
  /** How long progress may stay untold while more of it is likely: 1 s by default, ten times that while many guilds are at work. */
  settleMs?: number;
  /** Milliseconds since the epoch; the machine's clock by default. */
  clock?: () => number;
  queueMetrics?: WorkQueueMetrics;
  leaderCounts?: LeaderCounts;
  /** Where each reconcile is told as a span. */
  telemetry?: Pick<Telemetry, "span" | "traceOf">;
  log: Logger;
};

export type Operator = {
  world: World;
  isLeader(): boolean;
  /** Why this process is not ready; empty when it is. */
  problems(): string[];
  /** Ends work in hand, releases the Lease, ends the watches. */
  stop(): Promise<void>;
};

/** Runs the operator until it is stopped: caches always, work only while leading. */
export function startOperator(options: OperatorOptions): Operator {
  const { client, namespaces, log } = options;
  let queue: WorkQueue | undefined;
  const add = (key: string) => queue?.add(key);
  const rollouts = openRollouts({ settings: options.settings, wake: add, log });
  const world = openWorld({ client, namespaces, onGuild: add, rollouts, log });
  const leases = leaseRound({
    client,
    namespaces,
    periodMs: options.leasePeriodMs ?? 30_000,
    guilds: () => world.guilds(),
    onMissing: add,
    log,
  });
  const lead = async (signal: AbortSignal) => {
    await world.synced;
    await firstWalk(leases, log);
    if (signal.aborted) return;
    const work = guildQueue(options, { world, leases, rollouts, wake: add });
    queue = work;
    for (const { metadata } of world.guilds()) work.add(objectKey(metadata));
    // What guilds that are gone have left is looked after as well.
    for (const key of world.guildsWithClusters()) if (world.guild(key) === undefined) work.add(key);
    await new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    queue = undefined;
    await work.stop();
  };
  const leadership =
    options.election === undefined ? alwaysLead(lead) : elected(options, options.election, lead);
  return {
    world,
    isLeader: () => leadership.isLeader(),
    problems: () => (world.hasSynced() ? [] : ["The caches are not complete yet."]),
    async stop() {
      leases.stop();
      await leadership.stop();
      await world.stop();
    },
  };
}

/** Knowing all Leases before the first look saves a request for each guild; not knowing them is no harm. */
async function firstWalk(leases: LeaseRound, log: Logger): Promise<void> {
  try {
    await leases.walk();
  } catch (error) {
    log.warn({ err: error }, "leases could not be listed, trying again later");
  }
}

function guildQueue(
  options: OperatorOptions,
  senses: Pick<Reconciler, "world" | "leases" | "rollouts"> & { wake: (key: string) => void },
): WorkQueue {
  const { client, log, clock = () => Date.now(), telemetry } = options;
  const events = eventRecorder({ client, component: "dkp.dev/operator", instance: options.identity, log });
  const { secretMemoryMs, settleMs: calmMs = 1_000 } = options;
  // Where many guilds are at work, the next step of one is soon there, and each write holds up the steps of others.
  const settleMs = () => (work.depth() > 0 || work.running() > options.workers / 2 ? 10 * calmMs : calmMs);
  const reconciler = {
    client,
    ...senses,
    secrets: secretReader({
      client,
      clock,
      memoryMs: { well: secretMemoryMs ?? 240_000, amiss: secretMemoryMs ?? 20_000 },
    }),
    settings: options.settings,
    events,
    statuses: statusWriter({ ...options, ...senses, events, settleMs }),
    clock,
    newPassword: () => randomBytes(24).toString("base64url"),
    recheckMs: options.recheckMs ?? 25_000,
    resyncMs: options.resyncMs ?? 300_000,
  };
  const work = workQueue({
    workers: options.workers,
    reconcile: (key) =>
      telemetry === undefined ? reconcile(reconciler, key) : traced(telemetry, reconciler, key),
    onError: ({ key, error, failures, retryInMs }) =>
      log.warn(
        { err: error, guild: key, failures, retryInMs, ...telemetry?.traceOf(error) },
        "a guild could not be reconciled, trying again",
      ),
    ...(options.queueMetrics === undefined ? {} : { metrics: options.queueMetrics }),
  });
  return {
    ...work,
    async stop() {
      await work.drain();
      await events.flush();
    },
  };
}

/** A look at a guild as a span, with what came of it. */
function traced(
  telemetry: Pick<Telemetry, "span">,
  reconciler: Reconciler,
  key: string,
): ReturnType<typeof reconcile> {
  const { namespace = "", name } = refOfKey(key);
  return telemetry.span("reconcile", { "k8s.namespace.name": namespace, guild: name }, async (note) => {
    const next = await reconcile({ ...reconciler, note }, key);
    note({ result: next.requeueAfterMs === undefined ? "success" : "requeue_after" });
    return next;
  });
}

type Leadership = { isLeader(): boolean; stop(): Promise<void> };

function alwaysLead(lead: (signal: AbortSignal) => Promise<void>): Leadership {
  const ending = new AbortController();
  const led = lead(ending.signal);
  return {
    isLeader: () => !ending.signal.aborted,
    async stop() {
      ending.abort();
      await led;
    },
  };
}

function elected(
  { client, identity, log }: OperatorOptions,
  election: NonNullable<OperatorOptions["election"]>,
  lead: (signal: AbortSignal) => Promise<void>,
): Leadership {
  return electLeader({
    client,
    ...election,
    identity,
    create: true,
    onAcquired: lead,
    onLost: (reason) => log.info({ reason }, "no longer leading"),
    onNewLeader: (leader) => log.info({ leader }, "the leader changed"),
    log,
  });
}
