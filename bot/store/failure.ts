/**
 * The claim is not this replica's any more: another took it over and answers it, or a failover lost it, and then nobody would.
 * Say nothing and claim again, which tells.
 */
export class ClaimLost extends Error {
  override readonly name = "ClaimLost";
}

/** The database stayed away for the command timeout. */
export class DatabaseAway extends Error {
  override readonly name = "DatabaseAway";
}

/** Another holder raised the leader term: stop leading. */
export class TermLost extends Error {
  override readonly name = "TermLost";
}

/** The database holds the ledger of another guild. */
export class WrongLedger extends Error {
  override readonly name = "WrongLedger";
}

const transientStates = new Set([
  // Serialisation, deadlock, lock not available: another attempt finds another order.
  "40001",
  "40P01",
  "55P03",
  // A server that is full, stops, starts, or was demoted to a standby under our connection.
  "53300",
  "57P01",
  "57P02",
  "57P03",
  "25006",
  // A statement that took too long, such as one behind a lock.
  "57014",
  // A password that has just been rotated: files are read again on the next connection.
  "28P01",
]);

const transientCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  // A mounted secret that is being put right.
  "ENOENT",
]);

/** True for a failure of the database or the way to it that another attempt may not meet. */
export function isTransient(error: unknown): boolean {
  if (error instanceof DatabaseAway) {
    return true;
  }
  if (error instanceof AggregateError) {
    return error.errors.some(isTransient);
  }
  if (!(error instanceof Error)) {
    return false;
  }
  const code = sqlState(error) ?? "";
  return (
    transientStates.has(code) ||
    transientCodes.has(code) ||
    code.startsWith("08") ||
    /^Connection terminated|^Query read timeout|timeout exceeded when trying to connect|not queryable|^timeout expired|ended the connection/i.test(
      error.message,
    )
  );
}

/** True for a query that was given up because its answer did not come: the server may carry it out all the same. */
export function isUnheard(error: unknown): boolean {
  return error instanceof Error && error.message === "Query read timeout";
}

/** The SQLSTATE or system error code of a failure. */
export function sqlState(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}
