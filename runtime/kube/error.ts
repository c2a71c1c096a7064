/**
 * A failed request to the API server. `status` is the HTTP status, or 0 when no answer came (connection refused, reset,
 * timed out); `reason` is the API's machine-readable word ("NotFound", "Conflict", "Invalid" …) or one of ours for status 0
 * ("Unreachable", "Timeout", "Aborted"). The message names method, path and the server's sentence, never a header.
 */
export class KubeError extends Error {
  readonly status: number;
  readonly reason: string;
  /** How long the server asked us to wait, in milliseconds; undefined when it did not say. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    facts: { status: number; reason: string; retryAfterMs?: number | undefined; cause?: unknown },
  ) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = "KubeError";
    this.status = facts.status;
    this.reason = facts.reason;
    this.retryAfterMs = facts.retryAfterMs;
  }
}

/** Whether the error is a KubeError with this status, and with this reason where one is given. */
export function isKubeError(error: unknown, status?: number, reason?: string): error is KubeError {
  if (!(error instanceof KubeError)) return false;
  return (
    (status === undefined || error.status === status) && (reason === undefined || error.reason === reason)
  );
}
