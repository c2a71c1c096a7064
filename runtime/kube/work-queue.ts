import { backoffMs } from "./backoff.ts";

/** Nothing: done until added again. `requeueAfterMs`: looked at again after so long, unless it was looked at before. */
export type ReconcileResult = { requeueAfterMs?: number } | void;

export type WorkQueueMetrics = {
  added(): void;
  depth(value: number): void;
  started(queuedSeconds: number): void;
  finished(result: "success" | "error" | "requeue_after", seconds: number): void;
  retried(): void;
  /** Seconds that each running key has run, asked for when metrics are read. */
  unfinished(seconds: () => number[]): void;
};

export type WorkQueueOptions = {
  /** Keys worked on at the same time. */
  workers: number;
  /** Delay after a key's first failure, doubling; 200 ms by default. */
  baseDelayMs?: number;
  /** 30 s by default. */
  maxDelayMs?: number;
  /** The signal is aborted by `stop`, not by `drain`. */
  reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult>;
  /** The one place where a failed reconcile is told. What it throws itself crashes the process. */
  onError(failure: { key: string; error: unknown; failures: number; retryInMs: number }): void;
  metrics?: WorkQueueMetrics;
};

/**
 * Keys to work on: each at most once in the queue, never two workers on one key, a key added while it is worked on is
 * worked on again afterwards.
 */
export type WorkQueue = {
  add(key: string): void;
  /** At the latest after so long; the earlier of two wins. */
  addAfter(key: string, delayMs: number): void;
  /** Keys waiting for a worker (those waiting for their time not counted). */
  depth(): number;
  running(): number;
  /** Starts nothing more and resolves when what runs has ended. */
  drain(): Promise<void>;
  /** `drain`, telling what runs to give up by its signal. */
  stop(): Promise<void>;
};

/** A queue whose workers start at once. */
export function workQueue(options: WorkQueueOptions): WorkQueue {
  const { workers, metrics } = options;
  const stopping = new AbortController();
  /** Waiting keys in order, with the moment they were added: a Map keeps the order of insertion. */
  const waiting = new Map<string, number>();
  const running = new Map<string, Work>();
  const later = timetable((key) => add(key));
  const backoff = backoffByKey(options.baseDelayMs ?? 200, options.maxDelayMs ?? 30_000);
  let draining: PromiseWithResolvers<void> | undefined;

  metrics?.unfinished(() =>
    [...running.values()].map((work) => (performance.now() - work.startedAtMs) / 1_000),
  );

  const add = (key: string) => {
    if (draining !== undefined || waiting.has(key)) return;
    metrics?.added();
    const work = running.get(key);
    if (work === undefined) waiting.set(key, performance.now());
    else work.again = true;
    planPump();
  };
  const planPump = onceSoon(() => {
    for (const [key, addedAtMs] of waiting) {
      if (running.size >= workers) break;
      waiting.delete(key);
      void work(key, addedAtMs);
    }
    metrics?.depth(waiting.size);
  });
  const work = async (key: string, addedAtMs: number) => {
    const state: Work = { addedAtMs, startedAtMs: performance.now(), again: false };
    running.set(key, state);
    // This look serves whatever was planned for later.
    later.cancel(key);
    const outcome = await attempt(options, key, state, stopping.signal);
    running.delete(key);
    if (draining === undefined) {
      if (state.again) waiting.set(key, performance.now());
      planPump();
      settle(key, outcome);
    } else if (running.size === 0) draining.resolve();
  };
  const settle = (key: string, outcome: Outcome) => {
    if (outcome.result === "requeue_after") later.plan(key, outcome.requeueAfterMs);
    if (outcome.result === "error") {
      const failure = backoff.next(key, outcome.error);
      later.plan(key, failure.retryInMs);
      options.onError(failure);
    } else backoff.reset(key);
  };
  const drain = () => {
    draining ??= Promise.withResolvers<void>();
    later.clear();
    waiting.clear();
    if (running.size === 0) draining.resolve();
    return draining.promise;
  };
  return {
    add,
    addAfter: (key, delayMs) => (draining === undefined ? later.plan(key, delayMs) : undefined),
    depth: () => waiting.size,
    running: () => running.size,
    drain,
    async stop() {
      stopping.abort();
      await drain();
    },
  };
}

/** `again`: added once more while it is worked on. */
type Work = { addedAtMs: number; startedAtMs: number; again: boolean };

type Outcome =
  | { result: "success" }
  | { result: "requeue_after"; requeueAfterMs: number }
  | { result: "error"; error: unknown };

async function attempt(
  options: WorkQueueOptions,
  key: string,
  work: Work,
  signal: AbortSignal,
): Promise<Outcome> {
  options.metrics?.started((work.startedAtMs - work.addedAtMs) / 1_000);
  let outcome: Outcome;
  try {
    const requeueAfterMs = (await options.reconcile(key, signal))?.requeueAfterMs;
    outcome =
      requeueAfterMs === undefined ? { result: "success" } : { result: "requeue_after", requeueAfterMs };
  } catch (error) {
    outcome = { result: "error", error };
    options.metrics?.retried();
  }
  options.metrics?.finished(outcome.result, (performance.now() - work.startedAtMs) / 1_000);
  return outcome;
}

/** Runs `act` once after the present piece of input, however often it is asked for: a burst of events about one key is one look. */
function onceSoon(act: () => void): () => void {
  let planned = false;
  const run = () => {
    planned = false;
    act();
  };
  return () => {
    if (!planned) setImmediate(run);
    planned = true;
  };
}

/** How often each key has failed since it last succeeded. */
function backoffByKey(baseDelayMs: number, maxDelayMs: number) {
  const counts = new Map<string, number>();
  return {
    reset: (key: string) => counts.delete(key),
    next(key: string, error: unknown) {
      const failures = (counts.get(key) ?? 0) + 1;
      counts.set(key, failures);
      return { key, error, failures, retryInMs: backoffMs(failures - 1, baseDelayMs, maxDelayMs) };
    },
  };
}

/** One timer a key at most: of two plans the earlier stands. */
function timetable(due: (key: string) => void) {
  const timers = new Map<string, { dueAtMs: number; timer: NodeJS.Timeout }>();
  const cancel = (key: string) => {
    clearTimeout(timers.get(key)?.timer);
    timers.delete(key);
  };
  return {
    cancel,
    plan(key: string, delayMs: number) {
      const dueAtMs = performance.now() + delayMs;
      const planned = timers.get(key);
      if (planned !== undefined && planned.dueAtMs <= dueAtMs) return;
      cancel(key);
      const fire = () => {
        timers.delete(key);
        due(key);
      };
      timers.set(key, { dueAtMs, timer: setTimeout(fire, delayMs) });
    },
    clear() {
      for (const { timer } of timers.values()) clearTimeout(timer);
      timers.clear();
    },
  };
}
