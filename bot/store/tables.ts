import type { Generated } from "kysely";

/** The tables as kysely sees them. `bigint` columns are read as bigint. */
export type Tables = {
  ledger_identity: { guild_id: string; ledger_id: string };
  stream: { version: bigint; hash: Buffer; term: bigint; leader: string | null; leading_since: Date | null };
  event: {
    seq: bigint;
    guild_id: string;
    type: string;
    version: number;
    at: Date;
    interaction_id: string | null;
    ordinal: number;
    body: string;
    hash: Buffer;
  };
  balance: { member: string; pool: string; amount: bigint; held: bigint; seq: bigint };
  auction: {
    auction: string;
    entry: bigint;
    pool: string;
    status: "open" | "settled" | "cancelled" | "undone";
    minimum_bid: bigint;
    increment: bigint;
    started_by: string;
    starts_at: Date;
    ends_at: Date;
    called: boolean;
    leader: string | null;
    leading_amount: bigint | null;
    bid_count: number;
    closed_seq: bigint | null;
  };
  bid: { seq: bigint; auction: string; member: string; amount: bigint; bid_at: Date; leads: boolean };
  history: {
    seq: bigint;
    member: string;
    pool: string;
    kind: string;
    amount: bigint;
    balance: bigint;
    auction: string | null;
    actor: string;
    at: Date;
  };
  reversal: { target: bigint; seq: bigint };
  identity: { discord_id: string; member: string; salt: string; name: string | null; seq: bigint };
  free_text: { seq: bigint; field: string; salt: string; text: string };
  inbox: {
    interaction_id: string;
    epoch: Generated<number>;
    owner: number;
    payload: string;
    token: string;
    received_at: Date;
    claimed_at: Generated<Date>;
    finished_at: Date | null;
    decision: string | null;
    version: bigint | null;
  };
  outbox: {
    id: Generated<bigint>;
    batch: string;
    interaction_id: string | null;
    call: string;
    subject: string | null;
    edits: boolean;
    available_at: Generated<Date>;
    expires_at: Date | null;
    lease_owner: number | null;
    lease_until: Date | null;
    attempts: Generated<number>;
    created_at: Generated<Date>;
    finished_at: Date | null;
    abandoned: string | null;
  };
  message: { subject: string; channel_id: string; message_id: string };
  identify_turn: { last_at: Date };
};
