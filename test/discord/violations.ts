import type { Clock } from "./clock.ts";
import type { Violation } from "./driver.ts";

export type ViolationSink = {
  add(kind: Violation["kind"], method: string, path: string, message: string, errors: unknown): void;
  all(): Violation[];
};

/** Keeps what broke the rules, the first thousand of them: later ones repeat what is wrong. */
export function violationSink(clock: Clock): ViolationSink {
  const kept: Violation[] = [];
  return {
    add(kind, method, path, message, errors) {
      if (kept.length < 1_000) kept.push({ atMs: clock.nowMs(), kind, method, path, message, errors });
    },
    all: () => [...kept],
  };
}
