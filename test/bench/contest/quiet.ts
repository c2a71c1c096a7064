import type { Program } from "../program.ts";

const stepMs = 250;

/** Less than this share of one processor is nothing but keeping watches and a lease. */
const idleShare = 0.12;

/**
 * Waits until a program has done nothing worth mentioning for `forMs`; answers when it was last busy, in milliseconds since the epoch.
 * Throws when it is still busy after `timeoutMs`.
 */
export async function quiet(program: Program, forMs = 3_000, timeoutMs = 900_000): Promise<number> {
  const endMs = Date.now() + timeoutMs;
  let busyMs = Date.now();
  let [beforeMs, before] = [Date.now(), program.usage().cpuSeconds];
  while (Date.now() - busyMs < forMs) {
    if (Date.now() > endMs) throw new Error(`still busy after ${timeoutMs / 1_000} s`);
    await new Promise((resolve) => setTimeout(resolve, stepMs));
    const [nowMs, { cpuSeconds }] = [Date.now(), program.usage()];
    if (cpuSeconds - before > (idleShare * (nowMs - beforeMs)) / 1_000) busyMs = nowMs;
    [beforeMs, before] = [nowMs, cpuSeconds];
  }
  return busyMs;
}
