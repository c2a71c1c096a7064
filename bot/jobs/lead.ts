import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../../runtime/log.ts";
import { TermLost } from "../store/failure.ts";

/** One of the jobs of a leader: runs until `signal`, and throws TermLost when its term no longer holds. */
export type Job = (term: bigint, signal: AbortSignal) => Promise<void>;

/**
 * Leads for as long as `signal` lasts: raises the term in PostgreSQL, so that whoever led before can append nothing more
 * as a leader, and runs the jobs under it. A term that another took is raised again if leadership still is ours by then.
 */
export async function lead(options: {
  raiseTerm(): Promise<bigint>;
  onTerm(term: bigint): void;
  jobs: Record<string, Job>;
  signal: AbortSignal;
  log: Logger;
}): Promise<void> {
  const { signal, log } = options;
  while (!signal.aborted) {
    try {
      const term = await options.raiseTerm();
      log.info({ term: String(term) }, "leading under a new term");
      options.onTerm(term);
      await underTerm(term, options);
    } catch (error) {
      if (!signal.aborted) {
        log.warn({ err: error }, "jobs stopped, starting them again");
      }
    }
    await sleep(2000, undefined, { signal }).catch(() => undefined);
  }
}

async function underTerm(
  term: bigint,
  { jobs, signal, log }: { jobs: Record<string, Job>; signal: AbortSignal; log: Logger },
): Promise<void> {
  const over = new AbortController();
  const until = AbortSignal.any([signal, over.signal]);
  await Promise.all(
    Object.entries(jobs).map(async ([name, job]) => {
      try {
        await job(term, until);
      } catch (error) {
        const lost = error instanceof TermLost;
        log[lost ? "info" : "error"]({ err: error, job: name }, lost ? "the term was lost" : "a job ended");
        over.abort();
      }
    }),
  );
}
