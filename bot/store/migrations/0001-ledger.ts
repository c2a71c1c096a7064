import { sql } from "kysely";
import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/**
 * One database holds one guild's ledger, so no table but `event` repeats the guild. Times are for people and queries;
 * what the hash covers is `event.body`, stored exactly as it was hashed.
 */
const up = sql`
create table ledger_identity (
  singleton boolean primary key default true check (singleton),
  guild_id text not null check (guild_id ~ '^[0-9]{17,20}$'),
  ledger_id text not null
);
create table stream (
  singleton boolean primary key default true check (singleton),
  version bigint not null default 0,
  hash bytea not null default decode(repeat('00', 32), 'hex') check (length(hash) = 32),
  term bigint not null default 0,
  leader text,
  leading_since timestamptz
) with (fillfactor = 10);
insert into stream default values;

create table event (
  seq bigint primary key check (seq > 0),
  guild_id text not null,
  type text not null,
  version integer not null,
  at timestamptz not null,
  interaction_id text,
  ordinal integer not null default 0,
  body text not null,
  hash bytea not null check (length(hash) = 32)
);
create unique index event_interaction on event (interaction_id, ordinal) where interaction_id is not null;
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'the ledger is append-only: % on % is refused', tg_op, tg_table_name
    using errcode = 'restrict_violation';
end $$;
create trigger event_append_only before update or delete on event
  for each statement execute function refuse_change();
create trigger event_no_truncate before truncate on event
  for each statement execute function refuse_change();

create function refuse_append(reason text) returns boolean language plpgsql as $$
begin
  raise exception '%', reason using errcode = 'DK001';
end $$;

create table balance (
  member text not null,
  pool text not null,
  amount bigint not null,
  held bigint not null check (held >= 0),
  seq bigint not null,
  primary key (member, pool)
) with (fillfactor = 70);
create index balance_standings on balance (pool, amount desc, member);

create table auction (
  auction text primary key,
  entry bigint not null,
  pool text not null,
  status text not null check (status in ('open', 'settled', 'cancelled', 'undone')),
  minimum_bid bigint not null,
  increment bigint not null check (increment > 0),
  started_by text not null,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  called boolean not null,
  leader text,
  leading_amount bigint,
  bid_count integer not null,
  closed_seq bigint,
  check ((status = 'open') = (closed_seq is null)),
  check ((leader is null) = (leading_amount is null))
) with (fillfactor = 50);
create index auction_open on auction (ends_at) where status = 'open';
create index auction_entry on auction (entry desc);
create index auction_closed on auction (closed_seq) where closed_seq is not null;

create table bid (
  seq bigint primary key,
  auction text not null,
  member text not null,
  amount bigint not null check (amount > 0),
  bid_at timestamptz not null,
  leads boolean not null
);
create index bid_auction on bid (auction, seq desc);

create table history (
  seq bigint not null,
  member text not null,
  pool text not null,
  kind text not null,
  amount bigint not null,
  balance bigint not null,
  auction text,
  actor text not null,
  at timestamptz not null,
  primary key (member, seq, pool)
);
create index history_member on history (member, seq desc);
create table reversal (target bigint primary key, seq bigint not null);

create table identity (
  discord_id text primary key,
  member text not null,
  salt text not null,
  name text,
  seq bigint not null
);
create index identity_member on identity (member);
create index identity_seq on identity (seq);
create table free_text (
  seq bigint not null,
  field text not null,
  salt text not null,
  text text not null,
  primary key (seq, field)
);

create table inbox (
  interaction_id text primary key,
  epoch integer not null default 1,
  owner integer not null,
  payload text not null,
  token text not null,
  received_at timestamptz not null,
  claimed_at timestamptz not null default now(),
  finished_at timestamptz,
  decision text,
  version bigint
) with (fillfactor = 50);
create index inbox_open on inbox (claimed_at) where finished_at is null;
create index inbox_received on inbox (received_at);

create table outbox (
  id bigint generated always as identity primary key,
  batch text not null,
  interaction_id text,
  call text not null,
  subject text,
  edits boolean not null default false,
  available_at timestamptz not null default now(),
  expires_at timestamptz,
  lease_owner integer,
  lease_until timestamptz,
  attempts integer not null default 0,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  abandoned text
) with (fillfactor = 50);
create index outbox_open on outbox (available_at, id) where finished_at is null;
create index outbox_interaction on outbox (interaction_id) where interaction_id is not null;
create index outbox_subject on outbox (subject, id) where subject is not null;
create index outbox_finished on outbox (finished_at) where finished_at is not null;

create table message (subject text primary key, channel_id text not null, message_id text not null);

create table identify_turn (
  singleton boolean primary key default true check (singleton),
  last_at timestamptz not null default 'epoch'
);
insert into identify_turn default values;
`;

export const ledgerTables: Migration = {
  async up(db: Kysely<unknown>) {
    await up.execute(db);
  },
  async down(db: Kysely<unknown>) {
    await sql`
      drop table ledger_identity, stream, event, balance, auction, bid, history, reversal, identity, free_text,
        inbox, outbox, message, identify_turn;
      drop function refuse_change, refuse_append`.execute(db);
  },
};
