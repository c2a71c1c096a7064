import type { Logger } from "./log.ts";

/** The part of `process` that is needed, handed in by a main.ts. */
export type ShutdownHost = {
  on(signal: "SIGTERM" | "SIGINT", listener: () => void): unknown;
  exit(code: number): void;
};

export type Shutdown = {
  /** Adds a step. Steps run one after the other, the last added first. */
  step(name: string, run: () => Promise<void> | void): void;
  /** Begins the sequence; later calls change nothing. Exits with `code` when all steps ended or the deadline passed. */
  begin(reason: string, code?: number): void;
  /** Aborted when the sequence begins. */
  signal: AbortSignal;
};

/** Turns SIGTERM and SIGINT into an orderly end. A second signal exits at once with code 1. */
export function onShutdown(options: { host: ShutdownHost; log: Logger; deadlineMs: number }): Shutdown {
  const { host, log, deadlineMs } = options;
  const beginning = new AbortController();
  const steps: { name: string; run: () => Promise<void> | void }[] = [];

  const runSteps = async () => {
    for (const { name, run } of steps.toReversed()) {
      try {
        await run();
        log.debug({ step: name }, "shutdown step done");
      } catch (error) {
        log.error({ err: error, step: name }, "a shutdown step failed, going on");
      }
    }
  };
  const begin = (reason: string, code = 0) => {
    if (beginning.signal.aborted) return;
    log.info({ reason }, "shutting down");
    beginning.abort();
    const deadline = setTimeout(() => {
      log.error({ deadlineMs }, "the shutdown took too long, leaving");
      host.exit(code === 0 ? 1 : code);
    }, deadlineMs);
    void runSteps().then(() => {
      clearTimeout(deadline);
      host.exit(code);
    });
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    host.on(signal, () => {
      if (beginning.signal.aborted) host.exit(1);
      else begin(signal);
    });
  return {
    step(name, run) {
      steps.push({ name, run });
    },
    begin,
    signal: beginning.signal,
  };
}
