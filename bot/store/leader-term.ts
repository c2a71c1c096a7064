import type { Database } from "./database.ts";

/**
 * Begins a leader term: every append under an older one fails from now on. The counter lives with the ledger's head,
 * so it survives a re-created Lease and a restored database, and an append checks it without another lock.
 */
export async function raiseTerm({ pool }: Database, holder: string): Promise<bigint> {
  const { rows } = await pool.query<{ term: bigint }>(
    "update stream set term = term + 1, leader = $1, leading_since = now() returning term",
    [holder],
  );
  const [row] = rows;
  if (row === undefined) {
    throw new Error("the database holds no ledger: migrate it first");
  }
  return row.term;
}
