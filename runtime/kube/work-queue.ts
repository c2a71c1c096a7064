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
export function workQueue(_options: WorkQueueOptions): WorkQueue {
  throw new Error("not built yet");
}
