import { backoffMs, pause } from "./backoff.ts";
import { KubeError } from "./error.ts";

/** The longest that a server's Retry-After is obeyed before trying again. */
const longestWaitMs = 30_000;

/**
 * Runs `attempt` up to `attempts` times. A refusal that carries Retry-After or is a 429 was not acted upon and is always
 * repeated; 502, 503, 504 and missing answers only where repeating does no harm. A 401 is repeated once with fresh
 * credentials.
 */
export async function withRetries<T>(
  options: { attempts: number; idempotent: boolean; signal: AbortSignal | undefined },
  attempt: (refreshCredentials: boolean) => Promise<T>,
): Promise<T> {
  let refresh = false;
  for (let failures = 0; ; failures++) {
    try {
      return await attempt(refresh);
    } catch (error) {
      if (
        !(error instanceof KubeError) ||
        failures + 1 >= options.attempts ||
        options.signal?.aborted === true
      )
        throw error;
      if (error.status === 401 && refresh) throw error;
      refresh = error.status === 401;
      if (!refresh && !isRepeatable(error, options.idempotent)) throw error;
      await pause(refresh ? 0 : delayMs(error, failures), options.signal);
    }
  }
}

function isRepeatable(error: KubeError, idempotent: boolean): boolean {
  if (error.status === 429 || error.retryAfterMs !== undefined) return true;
  if (!idempotent || error.reason === "Aborted") return false;
  return error.status === 0 || error.status === 502 || error.status === 503 || error.status === 504;
}

function delayMs(error: KubeError, failures: number): number {
  const jitteredMs = backoffMs(failures, 100, 2_000);
  return error.retryAfterMs === undefined
    ? jitteredMs
    : Math.min(error.retryAfterMs, longestWaitMs) + jitteredMs / 10;
}
