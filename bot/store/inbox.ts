import { LEASE_SECONDS, callRow } from "./append.ts";
import type { OutboxRow, OutgoingCall } from "./call.ts";
import type { Database } from "./database.ts";
import { livingReplicas } from "./presence.ts";
import { outboxRow } from "./recovery.ts";

/** How long Discord takes answers to an interaction, and how long its payload and token are kept. */
const life = "interval '15 minutes'";

export type Claim = { readonly claimed: true; readonly epoch: number } | { readonly claimed: false };

export type Arrival = {
  readonly interactionId: string;
  /** The interaction as it came, JSON. */
  readonly payload: unknown;
  readonly token: string;
  /** The replica's id (presence.ts). */
  readonly replica: number;
  /** Unix milliseconds. */
  readonly receivedAtMs: number;
};

/**
 * Claims an interaction for a replica: exactly one of those that received it wins. Claiming again what one has claimed
 * and not finished is fine, since the answer to the first attempt may have been lost.
 * @throws Error when the database does not answer in time; the claim may have been made all the same
 */
export async function claim(
  { pool }: Database,
  arrival: Arrival,
  { timeoutMs }: { readonly timeoutMs: number },
): Promise<Claim> {
  const { interactionId, payload, token, replica, receivedAtMs } = arrival;
  const query = pool.query<{ epoch: number }>({
    name: "claim",
    text: `insert into inbox (interaction_id, owner, payload, token, received_at)
      values ($1, $2, $3, $4, to_timestamp($5::bigint / 1000.0))
      on conflict (interaction_id) do update set claimed_at = now()
        where inbox.owner = excluded.owner and inbox.finished_at is null
      returning epoch`,
    values: [interactionId, replica, JSON.stringify(payload), token, receivedAtMs],
  });
  const { rows } = await inTime(query, timeoutMs);
  return rows[0] === undefined ? { claimed: false } : { claimed: true, epoch: rows[0].epoch };
}

async function inTime<Result>(work: Promise<Result>, timeoutMs: number): Promise<Result> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error("timeout expired: the database is slow or away")),
    timeoutMs,
  );
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}

export type Orphan = {
  readonly interactionId: string;
  readonly epoch: number;
  readonly payload: unknown;
  readonly token: string;
  readonly receivedAtMs: number;
};

/**
 * Takes over claims that are not finished and that nobody works on: those whose replica is gone, and this replica's own that are not
 * among the interactions that it has `inHand` (it took them and never heard of it, or failed at them). Their epoch rises, so that
 * whoever had them cannot finish them.
 */
export async function orphans(
  { pool }: Database,
  replica: number,
  { graceMs, inHand }: { readonly graceMs: number; readonly inHand: readonly string[] },
): Promise<Orphan[]> {
  const { rows } = await pool.query<{
    interaction_id: string;
    epoch: number;
    payload: string;
    token: string;
    received_at: Date;
  }>({
    name: "orphans",
    text: `with living as materialized (${livingReplicas}), orphan as (
        select interaction_id from inbox
        where finished_at is null and claimed_at < now() - $2 * interval '1 millisecond'
          and received_at > now() - ${life} and interaction_id <> all($3::text[])
          and (owner = $1 or owner not in (select id from living))
        order by claimed_at limit 50 for update skip locked)
      update inbox set owner = $1, epoch = epoch + 1, claimed_at = now()
      from orphan where inbox.interaction_id = orphan.interaction_id
      returning inbox.interaction_id, epoch, payload, token, received_at`,
    values: [replica, graceMs, inHand],
  });
  return rows.map((row) => ({
    interactionId: row.interaction_id,
    epoch: row.epoch,
    payload: JSON.parse(row.payload) as unknown,
    token: row.token,
    receivedAtMs: row.received_at.getTime(),
  }));
}

/**
 * Finishes a claim that needs no append: an answer that only reads. The calls are owed from now on, leased to the
 * claim's replica.
 * @returns the owed calls; none when the claim was finished, taken over or lost before
 */
export async function finish(
  { pool }: Database,
  { id, epoch }: { readonly id: string; readonly epoch: number },
  calls: readonly OutgoingCall[],
): Promise<OutboxRow[]> {
  const { rows } = await pool.query<{ id: bigint }>({
    name: "finish",
    text: `with finished as (
        update inbox set finished_at = now() where interaction_id = $1 and epoch = $2 and finished_at is null
        returning owner)
      insert into outbox (batch, interaction_id, call, subject, edits, expires_at, lease_owner, lease_until)
      select 'finish', o.interaction_id, o.call, o.subject, o.edits, to_timestamp(o.expires_at / 1000.0), owner,
        now() + interval '${LEASE_SECONDS} seconds'
      from finished, json_to_recordset($3::json) as o(position integer, interaction_id text, call text, subject text,
        edits boolean, expires_at bigint)
      order by o.position
      returning id`,
    values: [id, epoch, JSON.stringify(calls.map(callRow))],
  });
  return rows.flatMap((row, index) => {
    const call = calls[index];
    return call === undefined ? [] : [outboxRow(Number(row.id), call, 0, {})];
  });
}

/** The payload of an interaction of the last 15 minutes. */
export async function payloadOf({ kysely }: Database, interactionId: string): Promise<unknown> {
  const row = await kysely
    .selectFrom("inbox")
    .select("payload")
    .where("interaction_id", "=", interactionId)
    .executeTakeFirst();
  return row === undefined ? undefined : (JSON.parse(row.payload) as unknown);
}

/** Removes interactions and calls whose time is over, with the tokens in them; returns how many rows went. */
export async function purge({ pool }: Database): Promise<number> {
  const removals = [
    `delete from inbox where received_at < now() - ${life}`,
    `delete from outbox where finished_at < now() - ${life} or expires_at < now()`,
    // Nobody wants yesterday's post.
    "delete from outbox where created_at < now() - interval '1 day'",
  ];
  let removed = 0;
  for (const removal of removals) {
    removed += (await pool.query(removal)).rowCount ?? 0;
  }
  return removed;
}
