import { amountRefusal, hundredths } from "./amount.ts";
import { DURATION_MS, dueAtMs, judge, mayWait, nextMinimum } from "./auction.ts";
import type { CancelAuction, CloseAuction, PlaceBid, StartAuction } from "./command.ts";
import type { Outcome } from "./decision.ts";
import { disclose, emit, grantStartPoints, memberRefusal } from "./draft.ts";
import type { Draft } from "./draft.ts";
import type { AuctionId, MemberId } from "./event.ts";
import type { Refusal } from "./refusal.ts";
import { availableTo, balanceOf, heldBy, poolOf } from "./state.ts";
import type { Auction, State, WaitingBid } from "./state.ts";

/** Opens an ascending auction; what the command leaves out comes from the rules. */
export function startAuction(work: Draft, command: StartAuction): Outcome | Refusal {
  const { rules } = work.state;
  const pool = poolOf(work.state, command.pool);
  if (pool === undefined) {
    return { code: "UNKNOWN_POOL", pool: command.pool ?? "", pools: rules.pools.map(({ name }) => name) };
  }
  const minimumBid = command.minimumBid ?? rules.auctions.minimumBid;
  const increment = command.increment ?? rules.auctions.increment;
  const durationMs = command.durationMs ?? rules.auctions.durationMs;
  const refusal =
    (minimumBid === 0n ? undefined : amountRefusal(minimumBid, pool.decimals)) ??
    amountRefusal(increment, pool.decimals);
  if (refusal !== undefined) {
    return refusal;
  }
  if (durationMs < DURATION_MS.minimum || durationMs > DURATION_MS.maximum) {
    return { code: "DURATION_OUT_OF_RANGE", minimumMs: DURATION_MS.minimum, maximumMs: DURATION_MS.maximum };
  }
  const auction: AuctionId = `a${work.state.auctionCount + 1}`;
  const startsAtMs = work.context.atMs;
  const endsAtMs = startsAtMs + durationMs;
  work.disclosures.push({ event: work.events.length, field: "item", text: command.item });
  emit(work, {
    type: "AuctionStarted",
    version: 1,
    data: {
      auction,
      kind: "ascending",
      pool: pool.name,
      item: command.item.commitment,
      minimumBid: hundredths(minimumBid),
      increment: hundredths(increment),
      startsAtMs,
      endsAtMs,
      antiSnipe: rules.auctions.antiSnipe,
    },
  });
  return { kind: "auctionStarted", auction, pool: pool.name, minimumBid, increment, endsAtMs };
}

/** Places a bid, judged by the time it was made; it holds its amount while it leads. */
export function placeBid(work: Draft, command: PlaceBid): Outcome | Refusal {
  const auction = openAuction(work.state, command.auction);
  if ("code" in auction) {
    return auction;
  }
  const { amount, member } = command;
  const decimals = poolOf(work.state, auction.pool)?.decimals ?? 2;
  const refusal = amountRefusal(amount, decimals) ?? memberRefusal(work.state, [member]);
  if (refusal !== undefined) {
    return refusal;
  }
  grantStartPoints(work, [member], auction.pool);
  const offer = { ...command, seq: work.state.version + 1 };
  const judged = judge(auction, offer);
  if ("fault" in judged && !(judged.fault === "late" && mayWait(auction, offer))) {
    return judged.fault === "late"
      ? { code: "AUCTION_ENDED", auction: auction.id, endsAtMs: auction.endsAtMs }
      : { code: "BID_TOO_LOW", auction: auction.id, pool: auction.pool, minimum: nextMinimum(auction) };
  }
  const poor = fundsRefusal(work.state, auction, command);
  if (poor !== undefined) {
    return poor;
  }
  if ("fault" in judged) {
    const { bid, bidAtMs } = command;
    const data = { auction: auction.id, member, amount: hundredths(amount), bid, bidAtMs };
    emit(work, { type: "BidWaiting", version: 1, data });
    return { ...placed(auction, auction, command), waiting: true };
  }
  emitBid(work, judged.auction, command);
  const promoted = promote(work, auction.id);
  const after = work.state.auctions.get(auction.id) ?? judged.auction;
  return { ...placed(auction, after, command), ...(promoted.length === 0 ? {} : { promoted }) };
}

function emitBid(work: Draft, after: Auction, { member, amount, bid, bidAtMs }: WaitingBid): void {
  const { id: auction, leader, endsAtMs, extensions } = after;
  const leads = leader?.bid === bid;
  const data = { auction, member, amount: hundredths(amount), bid, bidAtMs, leads, endsAtMs, extensions };
  emit(work, { type: "BidPlaced", version: 1, data });
}

/** Places the waiting bids that are in time by the auction's new end; each may extend it again. */
function promote(work: Draft, id: AuctionId): { member: MemberId; amount: bigint }[] {
  const promoted: { member: MemberId; amount: bigint }[] = [];
  for (const waiting of work.state.auctions.get(id)?.waiting ?? []) {
    const auction = work.state.auctions.get(id);
    if (auction === undefined) {
      break;
    }
    const judged = judge(auction, { ...waiting, seq: work.state.version + 1 });
    if ("fault" in judged || fundsRefusal(work.state, auction, waiting)) {
      continue;
    }
    emitBid(work, judged.auction, waiting);
    promoted.push({ member: waiting.member, amount: waiting.amount });
  }
  return promoted;
}

/** How a bid is told: what it found and what it left behind. */
function placed(
  before: Auction,
  after: Auction,
  { member, amount, bid }: PlaceBid,
): Extract<Outcome, { kind: "bidPlaced" }> {
  const leads = after.leader?.bid === bid;
  const outbid =
    leads && before.leader !== undefined && before.leader.member !== member ? before.leader : undefined;
  return {
    kind: "bidPlaced",
    auction: after.id,
    pool: after.pool,
    member,
    amount,
    leads,
    ...(outbid === undefined ? {} : { outbid: { member: outbid.member, amount: outbid.amount } }),
    endsAtMs: after.endsAtMs,
    extended: after.endsAtMs > before.endsAtMs,
    nextMinimum: nextMinimum(after),
  };
}

function fundsRefusal(
  state: State,
  auction: Auction,
  { member, amount }: Pick<WaitingBid, "member" | "amount">,
): Refusal | undefined {
  const { pool } = auction;
  // A raise replaces the member's own hold in this auction.
  const own = auction.leader?.member === member ? auction.leader.amount : 0n;
  const available = availableTo(state, member, pool) + own;
  return available >= amount
    ? undefined
    : {
        code: "INSUFFICIENT_POINTS",
        pool,
        member,
        needed: amount,
        balance: balanceOf(state, member, pool),
        held: heldBy(state, member, pool) - own,
        available: available < 0n ? 0n : available,
      };
}

/**
 * Ends or settles an auction. An officer ends the bidding at once, and who bid before that still counts; whoever comes
 * three seconds after the end settles: the leading bid is charged.
 */
export function closeAuction(work: Draft, command: CloseAuction): Outcome | Refusal {
  const auction = openAuction(work.state, command.auction);
  if ("code" in auction) {
    return auction;
  }
  if (work.context.atMs >= dueAtMs(auction)) {
    return settle(work, auction);
  }
  if (command.by === "due") {
    return { code: "AUCTION_NOT_DUE", auction: auction.id, dueAtMs: dueAtMs(auction) };
  }
  // An accepted bid stays accepted: the end never moves before it.
  const endsAtMs = Math.max(work.context.atMs, (auction.leader?.bidAtMs ?? 0) + 1);
  if (endsAtMs < auction.endsAtMs) {
    emit(work, { type: "AuctionCalled", version: 1, data: { auction: auction.id, endsAtMs } });
  }
  const ending = work.state.auctions.get(auction.id) ?? auction;
  return { kind: "auctionClosing", auction: auction.id, endsAtMs: ending.endsAtMs, dueAtMs: dueAtMs(ending) };
}

function settle(work: Draft, { id, pool, leader }: Auction): Outcome {
  const winner =
    leader === undefined
      ? {}
      : { winner: { member: leader.member, amount: hundredths(leader.amount), bid: leader.bid } };
  const data = { auction: id, pool, ...winner };
  const entry = emit(work, { type: "AuctionSettled", version: 1, data });
  const told =
    leader === undefined
      ? {}
      : {
          winner: {
            member: leader.member,
            amount: leader.amount,
            balance: balanceOf(work.state, leader.member, pool),
          },
        };
  return { kind: "auctionSettled", entry, auction: id, pool, ...told };
}

/** Ends an auction without a winner and releases what it holds. */
export function cancelAuction(work: Draft, command: CancelAuction): Outcome | Refusal {
  const auction = openAuction(work.state, command.auction);
  if ("code" in auction) {
    return auction;
  }
  const data = { auction: auction.id, ...disclose(work, "reason", command.reason) };
  emit(work, { type: "AuctionCancelled", version: 1, data });
  const { leader } = auction;
  const released = leader === undefined ? {} : { released: { member: leader.member, amount: leader.amount } };
  return { kind: "auctionCancelled", auction: auction.id, pool: auction.pool, ...released };
}

function openAuction(state: State, id: AuctionId): Auction | Refusal {
  const auction = state.auctions.get(id);
  if (auction !== undefined) {
    return auction;
  }
  const number = Number(id.slice(1));
  const was = Number.isInteger(number) && number >= 1 && number <= state.auctionCount;
  return { code: was ? "AUCTION_CLOSED" : "UNKNOWN_AUCTION", auction: id };
}
