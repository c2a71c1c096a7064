import { GENESIS, chainHash } from "../ledger/hash.ts";
import type { Database } from "./database.ts";

export type ChainReport = {
  readonly events: number;
  /** Hex; of the last event that follows from all before it. */
  readonly headHash: string;
  /** The first event that does not follow from the one before it, if any. */
  readonly brokenAt: number | undefined;
};

/** Checks the whole hash chain from the first event on, a page at a time, up to its head at least. */
export async function verifyChain({ pool }: Database, pageSize = 10_000): Promise<ChainReport> {
  // Read before the events: those that come meanwhile are only more.
  const head = await pool.query<{ version: bigint }>("select version from stream");
  const version = Number(head.rows[0]?.version ?? 0);
  let events = 0;
  let headHash = GENESIS;
  for (;;) {
    const { rows } = await pool.query<{ seq: bigint; body: string; hash: Buffer }>({
      name: "verify-page",
      text: "select seq, body, hash from event where seq > $1 order by seq limit $2",
      values: [events, pageSize],
    });
    for (const { seq, body, hash } of rows) {
      const expected = chainHash(headHash, body);
      if (Number(seq) !== events + 1 || expected !== hash.toString("hex")) {
        return { events, headHash, brokenAt: events + 1 };
      }
      events += 1;
      headHash = expected;
    }
    if (rows.length < pageSize) {
      return { events, headHash, brokenAt: events < version ? events + 1 : undefined };
    }
  }
}
