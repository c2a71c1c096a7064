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
export function onShutdown(_options: { host: ShutdownHost; log: Logger; deadlineMs: number }): Shutdown {
  throw new Error("not built yet");
}
