import { setTimeout as sleep } from "node:timers/promises";

/** Runs `work` now and again `periodMs` after each end, until `signal`. A failure is told and does not end it. */
export async function periodically(options: {
  periodMs: number;
  signal: AbortSignal;
  work(): Promise<void>;
  onFailure(error: unknown): void;
}): Promise<void> {
  while (!options.signal.aborted) {
    try {
      await options.work();
    } catch (error) {
      if (!options.signal.aborted) {
        options.onFailure(error);
      }
    }
    await sleep(options.periodMs, undefined, { signal: options.signal }).catch(() => undefined);
  }
}
