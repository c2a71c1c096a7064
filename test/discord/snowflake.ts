import type { Clock } from "./clock.ts";

/** Discord's epoch, the first of January 2015, in milliseconds. */
const epochMs = 1_420_070_400_000;

/** Makes ids that carry their time in the upper 42 bits; those made for now always increase. */
export function snowflakes(clock: Clock): (atMs?: number) => string {
  let last = 0n;
  let backdated = 0n;
  return (atMs) => {
    if (atMs !== undefined) {
      backdated += 1n;
      return ((timeBits(atMs) << 22n) | (backdated & 0x3fffffn)).toString();
    }
    const fresh = timeBits(clock.nowMs()) << 22n;
    last = fresh > last ? fresh : last + 1n;
    return last.toString();
  };
}

function timeBits(atMs: number): bigint {
  return BigInt(Math.floor(atMs) - epochMs);
}

/** Milliseconds since the epoch at which an id was made. */
export function timeOf(id: string): number {
  return Number(BigInt(id) >> 22n) + epochMs;
}
