import type { Logger } from "../log.ts";
import { pause } from "./backoff.ts";
import type { KubeClient } from "./client.ts";
import { KubeError } from "./error.ts";
import { expiresInMs, heldBy, isSameRecord, leaseResource, released, renewed } from "./lease-record.ts";
import type { Lease, Sighting } from "./lease-record.ts";
import { followLease } from "./lease-watch.ts";

export type ElectionOptions = {
  client: KubeClient;
  namespace: string;
  name: string;
  /** Unique to this process, e.g. the pod's name. */
  identity: string;
  /** How long others wait after the last sign of life; 15 s by default. */
  leaseDurationMs?: number;
  /** How long the holder goes on trying to renew before it gives up; 10 s by default. */
  renewDeadlineMs?: number;
  /** Between attempts that failed; 2 s by default. */
  retryPeriodMs?: number;
  /** Between successful renewals; 5 s by default. */
  renewPeriodMs?: number;
  /** Whether a missing Lease is created; false where the Role does not allow it. */
  create: boolean;
  /**
   * The signal is aborted when leadership ends for whatever reason. A returned promise is waited for (at most until the
   * lease would expire) before a stopping holder releases; it must not reject.
   */
  onAcquired(signal: AbortSignal): void | Promise<void>;
  onLost(reason: "stopped" | "expired" | "taken"): void;
  onNewLeader?(identity: string): void;
  /** How an attempt to renew ended; for metrics. */
  onRenewal?(result: "renewed" | "conflict" | "failed" | "taken"): void;
  /** Told of a request that the Role does not allow: the server's sentence names the verb. The candidacy goes on. */
  onForbidden?(error: KubeError): void;
  log: Logger;
};

export type Election = {
  /** True only while the last renewal is younger than the renew deadline, even if timers are late. */
  isLeader(): boolean;
  /** The holder last seen; undefined when there is none. */
  holder(): string | undefined;
  /** Ends candidacy; a holder releases the Lease so that another takes over at once. */
  stop(): Promise<void>;
};

/** The options with their defaults. */
export type Candidate = Required<Omit<ElectionOptions, Optional>> & Pick<ElectionOptions, Optional>;
type Optional = "onNewLeader" | "onRenewal" | "onForbidden";

/**
 * Stands as a candidate for a `coordination.k8s.io/v1` Lease. Needs get, update and watch on it (and create with `create`).
 * Expiry is judged by the local clock since the record was last seen to change, so skewed clocks do no harm.
 */
export function electLeader(options: ElectionOptions): Election {
  const candidate: Candidate = {
    leaseDurationMs: 15_000,
    renewDeadlineMs: 10_000,
    retryPeriodMs: 2_000,
    renewPeriodMs: 5_000,
    ...options,
  };
  const stopping = new AbortController();
  const sighting: Sighting = { lease: undefined, changedAtMs: 0 };
  let leading: { renewedAtMs: number } | undefined;

  let announced: string | undefined;

  const see = (lease: Lease | undefined) => {
    if (!isSameRecord(lease, sighting.lease)) sighting.changedAtMs = performance.now();
    sighting.lease = lease;
    const holder = holderOf(lease);
    if (holder !== undefined && holder !== announced) candidate.onNewLeader?.(holder);
    announced = holder;
  };
  const isLeader = () =>
    leading !== undefined && performance.now() - leading.renewedAtMs < candidate.renewDeadlineMs;
  const loop = async () => {
    while (!stopping.signal.aborted) {
      const renewedAtMs = await acquire(candidate, sighting, see, stopping.signal);
      if (renewedAtMs === undefined) return;
      leading = { renewedAtMs };
      await lead(candidate, { sighting, see, term: leading, stopping: stopping.signal });
      leading = undefined;
    }
  };
  const running = loop();
  return {
    isLeader,
    holder: () => announced,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

function holderOf(lease: Lease | undefined): string | undefined {
  const holder = lease?.spec?.holderIdentity;
  return holder === "" ? undefined : holder;
}

type See = (lease: Lease | undefined) => void;

/** Waits until the Lease can be had and takes it. Answers the moment from which it is held, or undefined when told to stop. */
async function acquire(
  candidate: Candidate,
  sighting: Sighting,
  see: See,
  signal: AbortSignal,
): Promise<number | undefined> {
  while (!signal.aborted) {
    try {
      const attemptedAtMs = performance.now();
      if (await tryToTake(candidate, sighting, see, signal)) return attemptedAtMs;
      await followLease(candidate, sighting, see, signal);
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      if (signal.aborted) return undefined;
      // Somebody else was faster: what they wrote is read at once.
      if (error.status === 409) continue;
      if (error.status === 403) candidate.onForbidden?.(error);
      candidate.log.debug(
        { err: error, lease: candidate.name },
        "the lease cannot be read or taken, trying again",
      );
      await pause(candidate.retryPeriodMs * (0.5 + Math.random()), signal);
    }
  }
  return undefined;
}

async function tryToTake(
  candidate: Candidate,
  sighting: Sighting,
  see: See,
  signal: AbortSignal,
): Promise<boolean> {
  const { client, namespace, name } = candidate;
  const request = { signal, attempts: 1, timeoutMs: candidate.renewDeadlineMs / 2 };
  const lease = await client.get<Lease>(leaseResource, { namespace, name }, request);
  see(lease);
  if (lease === undefined) {
    if (!candidate.create) return false;
    see(await client.create<Lease>(leaseResource, renewed(undefined, candidate), request));
    return true;
  }
  if (!canBeTaken(candidate, sighting, lease)) return false;
  see(await client.replace<Lease>(leaseResource, renewed(lease, candidate), request));
  return true;
}

function canBeTaken(candidate: Candidate, sighting: Sighting, lease: Lease): boolean {
  const holder = lease.spec?.holderIdentity ?? "";
  return holder === "" || holder === candidate.identity || expiresInMs(candidate, sighting) <= 0;
}

type Leadership = { sighting: Sighting; see: See; term: { renewedAtMs: number }; stopping: AbortSignal };

/** From the acquisition to the end of leadership, whichever way it comes. */
async function lead(candidate: Candidate, leadership: Leadership): Promise<void> {
  const ending = new AbortController();
  const work = Promise.resolve(candidate.onAcquired(ending.signal));
  const reason = await renew(candidate, leadership);
  ending.abort();
  candidate.onLost(reason);
  if (reason !== "stopped") {
    await work;
    return;
  }
  const leftMs = leadership.term.renewedAtMs + candidate.leaseDurationMs - performance.now();
  await Promise.race([work, pause(Math.max(0, leftMs))]);
  await release(candidate, leadership);
}

async function renew(candidate: Candidate, leadership: Leadership): Promise<"stopped" | "expired" | "taken"> {
  const { term, stopping } = leadership;
  let delayMs = candidate.renewPeriodMs;
  while (true) {
    const leftMs = term.renewedAtMs + candidate.renewDeadlineMs - performance.now();
    if (leftMs <= 0) return "expired";
    await pause(Math.min(delayMs, leftMs), stopping);
    if (stopping.aborted) return "stopped";
    const outcome = await renewOnce(candidate, leadership);
    candidate.onRenewal?.(outcome);
    if (outcome === "taken") return "taken";
    delayMs = { renewed: candidate.renewPeriodMs, conflict: 0, failed: candidate.retryPeriodMs }[outcome];
  }
}

async function renewOnce(
  candidate: Candidate,
  { sighting, see, term, stopping }: Leadership,
): Promise<"renewed" | "conflict" | "failed" | "taken"> {
  const { client, namespace, name } = candidate;
  const attemptedAtMs = performance.now();
  const leftMs = term.renewedAtMs + candidate.renewDeadlineMs - attemptedAtMs;
  if (leftMs <= 0) return "failed";
  // Half the deadline: an attempt that hangs leaves time for another.
  const timeout = AbortSignal.timeout(Math.ceil(Math.min(leftMs, candidate.renewDeadlineMs / 2)));
  const request = { signal: AbortSignal.any([stopping, timeout]), attempts: 1 };
  try {
    const current = sighting.lease ?? (await client.get<Lease>(leaseResource, { namespace, name }, request));
    if (current === undefined) return "failed";
    see(current);
    if (!heldBy(current, candidate.identity)) return "taken";
    see(await client.replace<Lease>(leaseResource, renewed(current, candidate), request));
    term.renewedAtMs = attemptedAtMs;
    return "renewed";
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    // Changed by somebody, perhaps only its labels, or gone: the next attempt reads it first.
    if (error.status === 409 || error.status === 404) sighting.lease = undefined;
    if (error.status === 409) return "conflict";
    if (error.status === 403) candidate.onForbidden?.(error);
    if (!stopping.aborted)
      candidate.log.warn({ err: error, lease: name }, "the lease was not renewed, trying again");
    return "failed";
  }
}

async function release(candidate: Candidate, { sighting, see }: Leadership): Promise<void> {
  const { client, namespace, name, identity } = candidate;
  const request = { attempts: 2, timeoutMs: 2_000 };
  try {
    const lease = await client.get<Lease>(leaseResource, { namespace, name }, request);
    if (lease !== undefined && heldBy(lease, identity))
      see(await client.replace<Lease>(leaseResource, released(lease), request));
  } catch (error) {
    sighting.lease = undefined;
    candidate.log.warn({ err: error, lease: name }, "the lease was not released, it expires by itself");
  }
}
