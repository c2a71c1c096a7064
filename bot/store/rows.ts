import type { Actor, AuctionId, LedgerEvent, MemberId } from "../ledger/event.ts";
import { effects } from "../ledger/decide-points.ts";
import { balanceOf, heldBy } from "../ledger/state.ts";
import type { Auction, State } from "../ledger/state.ts";

type AuctionRow = {
  auction: AuctionId;
  entry: number;
  pool: string;
  status: "open" | "settled" | "cancelled" | "undone";
  minimum_bid: bigint;
  increment: bigint;
  started_by: string;
  starts_at: number;
  ends_at: number;
  called: boolean;
  leader: MemberId | null;
  leading_amount: bigint | null;
  bid_count: number;
  closed_seq: number | null;
};

/** The rows that a batch of events adds to the tables or replaces in them. Times are Unix milliseconds. */
export type Rows = {
  events: {
    seq: number;
    guild_id: string;
    type: string;
    version: number;
    at: number;
    interaction_id: string | null;
    ordinal: number;
    body: string;
    hash: string;
  }[];
  balances: { member: string; pool: string; amount: bigint; held: bigint }[];
  histories: {
    seq: number;
    member: string;
    pool: string;
    kind: string;
    amount: string;
    balance: bigint;
    auction: string | null;
    actor: Actor;
    at: number;
  }[];
  auctions: AuctionRow[];
  bids: { seq: number; auction: string; member: string; amount: string; bid_at: number; leads: boolean }[];
  auctionStatuses: { closed_seq: number; status: "settled" | "undone" }[];
  reversals: { target: number; seq: number | null }[];
  identities: { discord_id: string; member: string; salt: string; name: string | null; seq: number }[];
  texts: { seq: number; field: string; salt: string; text: string }[];
};

export function noRows(): Rows {
  return {
    events: [],
    balances: [],
    histories: [],
    auctions: [],
    bids: [],
    auctionStatuses: [],
    reversals: [],
    identities: [],
    texts: [],
  };
}

/**
 * Notes what one event does to the append-only projections, and the closing of an auction.
 * @param auction the auction as it was before the event closed it
 */
export function project(
  rows: Rows,
  state: State,
  event: LedgerEvent,
  at: { readonly seq: number; readonly atMs: number; readonly actor: Actor },
  auction: Auction | undefined,
): void {
  for (const { member, pool, amount } of changes(event)) {
    rows.histories.push({
      seq: at.seq,
      member,
      pool,
      kind: event.type,
      amount,
      balance: balanceOf(state, member, pool),
      auction: auction?.id ?? null,
      actor: at.actor,
      at: at.atMs,
    });
  }
  if (event.type === "BidPlaced") {
    const { auction, member, amount, bidAtMs, leads } = event.data;
    rows.bids.push({ seq: at.seq, auction, member, amount, bid_at: bidAtMs, leads });
  }
  if (event.type === "EventReversed") {
    reverseAuction(rows, event.data);
  }
  if (auction !== undefined) {
    const status = event.type === "AuctionSettled" ? "settled" : "cancelled";
    rows.auctions.push({ ...auctionRow(auction), status, closed_seq: at.seq });
  }
}

/** The auction that an event closes, as it is before. */
export function closing(state: State, event: LedgerEvent): Auction | undefined {
  return event.type === "AuctionSettled" || event.type === "AuctionCancelled"
    ? state.auctions.get(event.data.auction)
    : undefined;
}

/** Notes the balances, open auctions and reversals that a forked state has changed. */
export function projectState(rows: Rows, state: State): void {
  const touched = new Set([...state.balances.writes(), ...state.holds.writes()].map(([key]) => key));
  for (const key of touched) {
    const slash = key.indexOf("/");
    const member = key.slice(0, slash) as MemberId;
    const pool = key.slice(slash + 1);
    rows.balances.push({
      member,
      pool,
      amount: balanceOf(state, member, pool),
      held: heldBy(state, member, pool),
    });
  }
  for (const [, auction] of state.auctions.writes()) {
    if (auction !== undefined) {
      rows.auctions.push(auctionRow(auction));
    }
  }
  for (const [target, seq] of state.reversals.writes()) {
    rows.reversals.push({ target, seq: seq ?? null });
  }
}

function changes(event: LedgerEvent): readonly { member: MemberId; pool: string; amount: string }[] {
  return event.type === "StartPointsGranted"
    ? [event.data]
    : event.type === "EventReversed"
      ? event.data.changes
      : (effects(event) ?? []);
}

function reverseAuction(rows: Rows, data: { target: number; targetType: string; reinstates?: number }): void {
  const closedSeq = data.reinstates ?? data.target;
  const status = data.reinstates === undefined ? "undone" : "settled";
  if (data.targetType !== "AuctionSettled" && data.reinstates === undefined) {
    return;
  }
  const noted =
    rows.auctions.find((row) => row.closed_seq === closedSeq) ??
    rows.auctionStatuses.find((row) => row.closed_seq === closedSeq);
  if (noted === undefined) {
    rows.auctionStatuses.push({ closed_seq: closedSeq, status });
  } else {
    noted.status = status;
  }
}

function auctionRow(auction: Auction): AuctionRow {
  return {
    auction: auction.id,
    entry: auction.entry,
    pool: auction.pool,
    status: "open",
    minimum_bid: auction.minimumBid,
    increment: auction.increment,
    started_by: auction.startedBy,
    starts_at: auction.startsAtMs,
    ends_at: auction.endsAtMs,
    called: auction.called,
    leader: auction.leader?.member ?? null,
    leading_amount: auction.leader?.amount ?? null,
    bid_count: auction.bidCount,
    closed_seq: null,
  };
}
