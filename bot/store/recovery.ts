import type { Pool } from "pg";
import { decode } from "../ledger/codec.ts";
import type { Decision } from "../ledger/decision.ts";
import type { LedgerEvent } from "../ledger/event.ts";
import type { AppendedCalls } from "./append.ts";
import type { OutboxRow, OutgoingCall } from "./call.ts";
import { readDecision } from "./stored-decision.ts";

/** An append whose answer never came. */
export type Attempt = { readonly to: number; readonly hash: string; readonly batch: string };

/**
 * Whether an append of which nothing was heard took place: the hash of its last event covers everything before, so that
 * event being there with that hash proves all of it.
 */
export async function tookPlace(pool: Pool, { to, hash }: Attempt): Promise<boolean> {
  const { rows } = await pool.query("select 1 from event where seq = $1 and hash = decode($2, 'hex')", [
    to,
    hash,
  ]);
  return rows.length > 0;
}

/** The outbox ids of an append's calls, in order; whoever delivers an edit looks its message up. */
export async function callsOf(pool: Pool, batch: string): Promise<AppendedCalls> {
  const { rows } = await pool.query<{ id: bigint }>("select id from outbox where batch = $1 order by id", [
    batch,
  ]);
  return { ids: rows.map(({ id }) => Number(id)), messages: {} };
}

/** How an interaction stands: answered with a decision, still claimed with this epoch, or somebody else's or nobody's. */
export type Claimed = { readonly answered: Decision | undefined; readonly version: number } | "open" | "lost";

/** Reads how interactions stand, by id. */
export async function claimsOf(
  pool: Pool,
  claims: readonly { readonly id: string; readonly epoch: number }[],
): Promise<Map<string, Claimed>> {
  const { rows } = await pool.query<{
    interaction_id: string;
    epoch: number;
    finished: boolean;
    decision: string | null;
    version: bigint | null;
  }>(
    `select interaction_id, epoch, finished_at is not null as finished, decision, version
     from inbox where interaction_id = any($1)`,
    [claims.map(({ id }) => id)],
  );
  const found = new Map(rows.map((row) => [row.interaction_id, row]));
  return new Map(
    claims.map(({ id, epoch }): [string, Claimed] => {
      const row = found.get(id);
      if (row?.finished === true) {
        const answered = row.decision === null ? undefined : readDecision(row.decision);
        return [id, { answered, version: Number(row.version ?? 0) }];
      }
      return [id, row?.epoch === epoch ? "open" : "lost"];
    }),
  );
}

/** The calls that are still owed for an interaction and leased to this replica. */
export async function owedFor(pool: Pool, interactionId: string, replica: number): Promise<OutboxRow[]> {
  const { rows } = await pool.query<{ id: bigint; call: string; attempts: number }>(
    `select id, call, attempts from outbox
     where interaction_id = $1 and finished_at is null and lease_owner = $2 order by id`,
    [interactionId, replica],
  );
  return rows.map(({ id, call, attempts }) =>
    outboxRow(Number(id), JSON.parse(call) as OutgoingCall, attempts, {}),
  );
}

/** @param id unique in the ledger, so that the nonce is */
export function outboxRow(
  id: number,
  call: OutgoingCall,
  attempts: number,
  messages: AppendedCalls["messages"],
): OutboxRow {
  const message = call.kind === "edit" ? messages[call.subject] : undefined;
  return { id, call, nonce: `dkp-${id}`, attempts, ...(message === undefined ? {} : { message }) };
}

/** Events by seq, for undo. */
export async function eventsAt(
  pool: Pool,
  seqs: readonly number[],
): Promise<Map<number, LedgerEvent | undefined>> {
  const { rows } = await pool.query<{ seq: bigint; body: string }>(
    "select seq, body from event where seq = any($1)",
    [seqs],
  );
  const found = new Map<number, LedgerEvent>(rows.map(({ seq, body }) => [Number(seq), decode(body)]));
  return new Map(seqs.map((seq) => [seq, found.get(seq)]));
}
