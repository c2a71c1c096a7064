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

/** What the API server calls a Status. */
type Status = {
  message?: unknown;
  reason?: unknown;
  code?: unknown;
  details?: { retryAfterSeconds?: unknown };
};

/**
 * The error of an answered request. `confidential` leaves the server's sentence out, because refusals of a Secret may quote
 * its content.
 */
export function refusal(
  call: string,
  answer: { status: number; text: string; retryAfter?: string | undefined; confidential?: boolean },
): KubeError {
  const status = parseStatus(answer.text);
  const reason =
    typeof status.reason === "string" && status.reason !== "" ? status.reason : `Http${answer.status}`;
  const sentence =
    answer.confidential === true
      ? "(what the server said is left out, it may quote the content)"
      : (typeof status.message === "string" ? status.message : "").slice(0, 2_000);
  return new KubeError(`${call}: ${answer.status} ${reason}${sentence === "" ? "" : `: ${sentence}`}`, {
    status: answer.status,
    reason,
    retryAfterMs: retryAfterMs(answer.retryAfter) ?? retryAfterMs(status.details?.retryAfterSeconds),
  });
}

/** The error of a request without an answer. */
export function noAnswer(call: string, cause: unknown): KubeError {
  const facts = cause instanceof Error ? cause : new Error(String(cause));
  const code = "code" in facts && typeof facts.code === "string" ? facts.code : facts.name;
  const reason =
    facts.name === "AbortError" ? "Aborted" : /TIMEOUT|TimeoutError/.test(code) ? "Timeout" : "Unreachable";
  return new KubeError(`${call}: no answer (${code}: ${facts.message})`, { status: 0, reason, cause });
}

function parseStatus(text: string): Status {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // A proxy in between answers in its own words.
  }
  return { message: text.slice(0, 200) };
}

function retryAfterMs(seconds: unknown): number | undefined {
  const value = typeof seconds === "string" ? Number(seconds) : seconds;
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? value * 1_000 : undefined;
}
