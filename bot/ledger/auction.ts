import type { Auction, Bid, WaitingBid } from "./state.ts";

/** How long after its end an auction waits for bids that were made in time but are still on their way. */
export const GRACE_MS = 3_000;
/** The shortest and longest time an auction may run. */
export const DURATION_MS = { minimum: 10_000, maximum: 14 * 24 * 3_600_000 } as const;

/** When an auction may be settled. */
export function dueAtMs(auction: Auction): number {
  return auction.endsAtMs + GRACE_MS;
}

/** The least that the next bid must be. */
export function nextMinimum(auction: Auction): bigint {
  return auction.leader === undefined
    ? auction.minimumBid
    : auction.minimumBid + (step(auction, auction.leader.amount) + 1n) * auction.increment;
}

/**
 * The step of the ladder minimum + k × increment that an amount reaches. A bid counts when it reaches a step that no
 * bid made before it had reached. Measuring against fixed steps, not against the last bid, is what makes the result a
 * function of the bids and their times alone: whoever arrives first over the network gains nothing.
 */
function step(auction: Auction, amount: bigint): bigint {
  return amount < auction.minimumBid ? -1n : (amount - auction.minimumBid) / auction.increment;
}

export type Offer = WaitingBid & { readonly seq: number };

export type Judgement = { readonly auction: Auction } | { readonly fault: "low" | "late" };

/**
 * Puts a bid in its place by bid time (ties: the smaller snowflake) and judges it there: it must be made before the end
 * as bids before it left it, and reach a new step. Bids made after it that no longer reach a new step stop counting.
 * A bid that counts with less than the window left extends the end, a bounded number of times.
 */
export function judge(auction: Auction, offer: Offer): Judgement {
  const newer: Bid[] = [];
  let older = auction.leader;
  while (older !== undefined && isBefore(offer, older)) {
    newer.push(older);
    older = older.previous;
  }
  const placed = placeOn(auction, older, offer);
  if (typeof placed === "string") {
    return { fault: placed };
  }
  let leader = placed;
  for (const bid of newer.reverse()) {
    const kept = placeOn(auction, leader, bid);
    leader = typeof kept === "string" ? leader : kept;
  }
  // With windows of at least the grace period this happens only to a bid that was delayed for longer than that: it
  // must not void what others have been told since.
  if (leader.bid !== offer.bid && leader.bid !== auction.leader?.bid) {
    return { fault: "late" };
  }
  return {
    auction: {
      ...auction,
      leader,
      endsAtMs: auction.called ? auction.endsAtMs : leader.endsAtMs,
      extensions: leader.extensions,
      bidCount: auction.bidCount + 1,
      waiting: auction.waiting.filter(({ bid }) => bid !== offer.bid),
    },
  };
}

function placeOn(auction: Auction, previous: Bid | undefined, offer: Offer): Bid | "low" | "late" {
  const { endsAtMs, extensions } = previous ?? auction.base;
  if (offer.bidAtMs >= (auction.called ? Math.min(endsAtMs, auction.endsAtMs) : endsAtMs)) {
    return "late";
  }
  if (step(auction, offer.amount) <= (previous === undefined ? -1n : step(auction, previous.amount))) {
    return "low";
  }
  const { windowMs, extensionMs, maxExtensions } = auction.antiSnipe;
  const extend = !auction.called && endsAtMs - offer.bidAtMs < windowMs && extensions < maxExtensions;
  return {
    member: offer.member,
    amount: offer.amount,
    bid: offer.bid,
    bidAtMs: offer.bidAtMs,
    seq: offer.seq,
    endsAtMs: extend ? endsAtMs + extensionMs : endsAtMs,
    extensions: extend ? extensions + 1 : extensions,
    previous,
  };
}

function isBefore(offer: WaitingBid, bid: WaitingBid): boolean {
  if (offer.bidAtMs !== bid.bidAtMs) {
    return offer.bidAtMs < bid.bidAtMs;
  }
  return offer.bid.length === bid.bid.length ? offer.bid < bid.bid : offer.bid.length < bid.bid.length;
}

/**
 * Whether a bid made after the end may wait: a bid made before the end can be on its way for as long as the grace
 * period and extend it, and then this one was in time. It must reach a new step all the same.
 */
export function mayWait(auction: Auction, offer: WaitingBid): boolean {
  const { windowMs, maxExtensions } = auction.antiSnipe;
  return (
    !auction.called &&
    windowMs > 0 &&
    auction.extensions < maxExtensions &&
    auction.waiting.length < 100 &&
    offer.bidAtMs < dueAtMs(auction) &&
    offer.amount >= nextMinimum(auction)
  );
}

/** The auction with one more bid waiting. */
export function withWaiting(auction: Auction, offer: WaitingBid): Auction {
  const { member, amount, bid, bidAtMs } = offer;
  const waiting = [...auction.waiting, { member, amount, bid, bidAtMs }];
  return { ...auction, waiting: waiting.sort((one, other) => (isBefore(one, other) ? -1 : 1)) };
}

/** The auction without its leading bid: `leader` (one of the older bids) leads, or nobody. Its end stays. */
export function withLeader(auction: Auction, leader: Bid | undefined): Auction {
  const { endsAtMs, extensions } = auction;
  return {
    ...auction,
    base: { endsAtMs, extensions },
    leader: leader === undefined ? undefined : { ...leader, endsAtMs, extensions },
  };
}
