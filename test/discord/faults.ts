import type { Fault } from "./driver.ts";

type Strike = { delayMs: number; fault: Fault | null };

export type Faults = {
  add(fault: Fault): void;
  clear(): void;
  /** What befalls a request: a delay, and at most one fault. */
  strike(method: string, path: string): Strike;
};

/** Faults asked for by tests. */
export function faults(random: () => number = Math.random): Faults {
  let active: { fault: Fault; left: number; path: RegExp | null }[] = [];
  return {
    add(fault) {
      const path = fault.path === undefined ? null : new RegExp(fault.path);
      active.push({ fault, left: fault.times ?? Infinity, path });
    },
    clear: () => (active = []),
    strike(method, path) {
      let delayMs = 0;
      let struck: Fault | null = null;
      for (const entry of active) {
        const { fault } = entry;
        const misses =
          (struck !== null && fault.kind !== "latency") ||
          (fault.method !== undefined && fault.method !== method) ||
          entry.path?.test(path) === false ||
          (fault.probability !== undefined && random() >= fault.probability);
        if (misses) continue;
        entry.left -= 1;
        if (fault.kind === "latency") delayMs += fault.minMs + random() * (fault.maxMs - fault.minMs);
        else struck = fault;
      }
      active = active.filter(({ left }) => left > 0);
      return { delayMs, fault: struck };
    },
  };
}
