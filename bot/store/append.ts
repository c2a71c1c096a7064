import type { Pool } from "pg";
import type { OutgoingCall } from "./call.ts";
import type { Rows } from "./rows.ts";

/** What one append writes, and what must hold for it. */
export type Append = {
  /** The version the decisions were made on. */
  readonly from: number;
  /** The hash of that version's event, hex: after a failover the same number may be another event. */
  readonly fromHash: string;
  readonly to: number;
  /** Hex. */
  readonly hash: string;
  /** The leader term that must hold. */
  readonly term: bigint | undefined;
  readonly claims: readonly { readonly id: string; readonly epoch: number; readonly decision: string }[];
  readonly rows: Rows;
  readonly calls: readonly OutgoingCall[];
  /** Names this attempt's calls, so that they are found again when its answer got lost. */
  readonly batch: string;
  readonly replica: number;
};

/** How long the replica that appended a call has it for itself. */
export const LEASE_SECONDS = 30;

/**
 * Everything an append does, in one statement and so in one transaction and one round trip: the head moves from the
 * version that was decided on (and under the term that was decided under) or nothing happens at all; a claim that is not
 * ours any more aborts the whole with SQLSTATE DK001. Refusals come here too, with no events: moving the head from a
 * version to itself proves that they were not decided on a state of yesterday.
 */
const text = `
with head as (
  update stream set version = $2, hash = decode($3, 'hex')
  where version = $1 and hash = decode($18, 'hex') and ($4::bigint is null or term = $4)
  returning version
), finished as (
  update inbox set finished_at = now(), decision = c.decision, version = $2
  from head, json_to_recordset($5::json) as c(id text, epoch integer, decision text)
  where inbox.interaction_id = c.id and inbox.epoch = c.epoch and inbox.finished_at is null
  returning 1
), events as (
  insert into event (seq, guild_id, type, version, at, interaction_id, ordinal, body, hash)
  select e.seq, e.guild_id, e.type, e.version, to_timestamp(e.at / 1000.0), e.interaction_id, e.ordinal, e.body,
    decode(e.hash, 'hex')
  from head, json_to_recordset($6::json) as e(seq bigint, guild_id text, type text, version integer, at bigint,
    interaction_id text, ordinal integer, body text, hash text)
), balances as (
  insert into balance (member, pool, amount, held, seq)
  select b.member, b.pool, b.amount, b.held, $2
  from head, json_to_recordset($7::json) as b(member text, pool text, amount bigint, held bigint)
  on conflict (member, pool) do update set amount = excluded.amount, held = excluded.held, seq = excluded.seq
), histories as (
  insert into history (seq, member, pool, kind, amount, balance, auction, actor, at)
  select h.seq, h.member, h.pool, h.kind, h.amount, h.balance, h.auction, h.actor, to_timestamp(h.at / 1000.0)
  from head, json_to_recordset($8::json) as h(seq bigint, member text, pool text, kind text, amount bigint,
    balance bigint, auction text, actor text, at bigint)
), auctions as (
  insert into auction (auction, entry, pool, status, minimum_bid, increment, started_by, starts_at, ends_at, called,
    leader, leading_amount, bid_count, closed_seq)
  select a.auction, a.entry, a.pool, a.status, a.minimum_bid, a.increment, a.started_by,
    to_timestamp(a.starts_at / 1000.0), to_timestamp(a.ends_at / 1000.0), a.called, a.leader, a.leading_amount,
    a.bid_count, a.closed_seq
  from head, json_to_recordset($9::json) as a(auction text, entry bigint, pool text, status text,
    minimum_bid bigint, increment bigint, started_by text, starts_at bigint, ends_at bigint, called boolean,
    leader text, leading_amount bigint, bid_count integer, closed_seq bigint)
  on conflict (auction) do update set status = excluded.status, ends_at = excluded.ends_at, called = excluded.called,
    leader = excluded.leader, leading_amount = excluded.leading_amount, bid_count = excluded.bid_count,
    closed_seq = excluded.closed_seq
), bids as (
  insert into bid (seq, auction, member, amount, bid_at, leads)
  select b.seq, b.auction, b.member, b.amount, to_timestamp(b.bid_at / 1000.0), b.leads
  from head, json_to_recordset($10::json) as b(seq bigint, auction text, member text, amount bigint, bid_at bigint,
    leads boolean)
), undone as (
  update auction set status = u.status
  from head, json_to_recordset($11::json) as u(closed_seq bigint, status text)
  where auction.closed_seq = u.closed_seq
), reversals as (
  insert into reversal (target, seq)
  select r.target, r.seq from head, json_to_recordset($12::json) as r(target bigint, seq bigint)
  where r.seq is not null
  on conflict (target) do update set seq = excluded.seq
), reinstated as (
  delete from reversal using head, json_to_recordset($12::json) as r(target bigint, seq bigint)
  where reversal.target = r.target and r.seq is null
), identities as (
  insert into identity (discord_id, member, salt, name, seq)
  select i.discord_id, i.member, i.salt, i.name, i.seq
  from head, json_to_recordset($13::json) as i(discord_id text, member text, salt text, name text, seq bigint)
), texts as (
  insert into free_text (seq, field, salt, text)
  select t.seq, t.field, t.salt, t.text
  from head, json_to_recordset($14::json) as t(seq bigint, field text, salt text, text text)
), calls as (
  insert into outbox (batch, interaction_id, call, subject, edits, expires_at, lease_owner, lease_until)
  select $16, o.interaction_id, o.call, o.subject, o.edits, to_timestamp(o.expires_at / 1000.0), $17,
    now() + interval '${LEASE_SECONDS} seconds'
  from head, json_to_recordset($15::json) as o(position integer, interaction_id text, call text, subject text,
    edits boolean, expires_at bigint)
  order by o.position
  returning id
)
select
  (select count(*) from head)::integer as appended,
  (select coalesce(json_agg(id order by id), '[]') from calls) as ids,
  (select coalesce(json_object_agg(m.subject, json_build_object('channelId', m.channel_id, 'messageId', m.message_id)),
    '{}') from message m where m.subject in
    (select o.subject from json_to_recordset($15::json) as o(subject text, edits boolean) where o.edits)) as messages,
  case when exists (select from head) and (select count(*) from finished) <> json_array_length($5::json)
    then refuse_append('a claim is finished or was taken over') end as refused,
  case when exists (select from head) and $2 > $1 then pg_notify('ledger', $2::text) end as notified`;

export type AppendedCalls = {
  /** The outbox ids of the calls, in order. */
  readonly ids: readonly number[];
  /** Where the messages are that the calls edit, by subject. */
  readonly messages: Readonly<Record<string, { readonly channelId: string; readonly messageId: string }>>;
};

/** Appends, or returns undefined because the head (or the term) is another by now. */
export async function append(pool: Pool, write: Append): Promise<AppendedCalls | undefined> {
  const { rows } = await pool.query<AppendedCalls & { appended: number }>({
    name: "append",
    text,
    values: values(write),
  });
  return rows[0]?.appended === 1 ? rows[0] : undefined;
}

function values(write: Append): unknown[] {
  const { rows } = write;
  return [
    write.from,
    write.to,
    write.hash,
    write.term?.toString() ?? null,
    json(write.claims),
    json(rows.events),
    json(rows.balances),
    json(rows.histories),
    json(rows.auctions),
    json(rows.bids),
    json(rows.auctionStatuses),
    json(rows.reversals),
    json(rows.identities),
    json(rows.texts),
    json(write.calls.map(callRow)),
    write.batch,
    write.replica,
    write.fromHash,
  ];
}

/** How an outgoing call is laid into the outbox. */
export function callRow(call: OutgoingCall, position: number): Record<string, unknown> {
  const reply = call.kind === "reply" || call.kind === "followup" ? call : undefined;
  return {
    position,
    interaction_id: reply?.interactionId ?? null,
    expires_at: reply?.expiresAtMs ?? null,
    subject: call.kind === "post" || call.kind === "edit" ? (call.subject ?? null) : null,
    edits: call.kind === "edit",
    call: JSON.stringify(call),
  };
}

function json(rows: readonly unknown[]): string {
  return JSON.stringify(rows, (_key, value: unknown) =>
    typeof value === "bigint" ? value.toString() : value,
  );
}
