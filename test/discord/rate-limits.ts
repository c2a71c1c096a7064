import type { Clock } from "./clock.ts";

/** Requests in a window, counted for each route and the parameters named in `by`. */
export type Bucket = { name: string; limit: number; windowMs: number; by: string[] };

type Taken = {
  headers: Record<string, string>;
  exhausted: { retryAfterMs: number; global: boolean } | null;
};

export type RateLimits = {
  /** Counts a request against its bucket and, unless exempt, the token's 50 a second. */
  take(bucket: Bucket, parameters: Record<string, string>, token: string | null): Taken;
};

const globalLimit = 50;
const globalWindowMs = 1_000;
const windowsKept = 50_000;

/** Fixed windows, as Discord's headers describe them. */
export function rateLimits(clock: Clock): RateLimits {
  const windows = new Map<string, { left: number; resetAtMs: number }>();

  const tidy = (now: number) => {
    for (const [key, { resetAtMs }] of windows) if (resetAtMs <= now) windows.delete(key);
  };

  const spend = (key: string, limit: number, windowMs: number) => {
    const now = clock.nowMs();
    let window = windows.get(key);
    if (window === undefined || window.resetAtMs <= now) {
      if (windows.size > windowsKept) tidy(now);
      window = { left: limit, resetAtMs: now + windowMs };
      windows.set(key, window);
    }
    window.left -= 1;
    return window;
  };

  return {
    take(bucket, parameters, token) {
      const now = clock.nowMs();
      const key = [bucket.name, token ?? "", ...bucket.by.map((name) => parameters[name] ?? "")].join(" ");
      const all = token === null ? null : spend(`global ${token}`, globalLimit, globalWindowMs);
      if (all !== null && all.left < 0) {
        return { headers: {}, exhausted: { retryAfterMs: all.resetAtMs - now, global: true } };
      }
      const own = spend(key, bucket.limit, bucket.windowMs);
      const headers = {
        "x-ratelimit-limit": String(bucket.limit),
        "x-ratelimit-remaining": String(Math.max(0, own.left)),
        "x-ratelimit-reset": (own.resetAtMs / 1_000).toFixed(3),
        "x-ratelimit-reset-after": ((own.resetAtMs - now) / 1_000).toFixed(3),
        "x-ratelimit-bucket": Buffer.from(bucket.name).toString("hex").slice(0, 32),
      };
      const exhausted = own.left < 0 ? { retryAfterMs: own.resetAtMs - now, global: false } : null;
      return { headers, exhausted };
    },
  };
}
