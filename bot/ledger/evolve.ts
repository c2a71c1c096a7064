import { judge, withLeader, withWaiting } from "./auction.ts";
import type {
  Actor,
  AuctionStarted,
  BidPlaced,
  EventReversed,
  HoldLapsed,
  LedgerEvent,
  MemberId,
  PointsAwarded,
  PoolName,
  RulesChanged,
} from "./event.ts";
import { rulesOf } from "./rules.ts";
import type { Auction, Bid, State } from "./state.ts";

/** How long an award is remembered, to ask before the same one is given again. */
export const REPEAT_WINDOW_MS = 120_000;

/**
 * Applies the next event to a state, in place: callers own the state they pass, or a fork of it. An event that does not
 * fit the state is a broken ledger or a broken program, and throws.
 */
export function evolve(
  state: State,
  event: LedgerEvent,
  at: { readonly atMs: number; readonly actor: Actor },
): void {
  state.version += 1;
  switch (event.type) {
    case "LedgerOpened":
      state.ledger = event.data.ledger;
      state.guild = event.data.guild;
      return;
    case "MemberRegistered":
      state.memberCount += 1;
      return;
    case "StartPointsGranted":
      state.balances.set(`${event.data.member}/${event.data.pool}`, BigInt(event.data.amount));
      return;
    case "PointsAwarded":
      return award(state, event, at.atMs);
    case "PointsDeducted":
      return event.data.members.forEach((member) => {
        credit(state, member, event.data.pool, -BigInt(event.data.amount));
      });
    case "AuctionStarted":
      return startAuction(state, event, at.actor);
    case "BidPlaced":
      return placeBid(state, event);
    case "BidWaiting":
      return replaceAuction(
        state,
        withWaiting(auctionOf(state, event.data.auction), {
          ...event.data,
          amount: BigInt(event.data.amount),
        }),
      );
    case "HoldLapsed":
      return lapse(state, event);
    case "AuctionCalled":
      return replaceAuction(state, {
        ...auctionOf(state, event.data.auction),
        endsAtMs: event.data.endsAtMs,
        called: true,
      });
    case "AuctionSettled":
      if (event.data.winner !== undefined) {
        credit(state, event.data.winner.member, event.data.pool, -BigInt(event.data.winner.amount));
      }
      return removeAuction(state, event.data.auction);
    case "AuctionCancelled":
      return removeAuction(state, event.data.auction);
    case "EventReversed":
      return reverse(state, event);
    case "RulesChanged":
      return changeRules(state, event);
    case "ModeChanged":
      state.mode = event.data;
      return;
    case "LedgerRestored":
      state.restores = [...state.restores, { ...event.data, entry: state.version, confirmed: false }];
      return;
    case "RestoreConfirmed":
      state.restores = state.restores.map((restore) =>
        restore.restore === event.data.restore ? { ...restore, confirmed: true } : restore,
      );
      return;
    default:
      throw new TypeError(`unknown event ${JSON.stringify(event satisfies never)}`);
  }
}

/** What tells one award from another: reasons do not count. */
export function awardKey(pool: PoolName, amount: bigint, members: readonly MemberId[]): string {
  return `${pool} ${amount} ${members.toSorted().join(" ")}`;
}

function award(state: State, { data }: PointsAwarded, atMs: number): void {
  const amount = BigInt(data.amount);
  for (const member of data.members) {
    credit(state, member, data.pool, amount);
  }
  state.recentAwards = [
    ...state.recentAwards.filter((recent) => recent.atMs > atMs - REPEAT_WINDOW_MS),
    { entry: state.version, atMs, key: awardKey(data.pool, amount, data.members) },
  ];
}

function credit(state: State, member: MemberId, pool: PoolName, amount: bigint): void {
  // What an event does must not depend on the rules of today: start points have an event of their own.
  const key = `${member}/${pool}` as const;
  state.balances.set(key, (state.balances.get(key) ?? 0n) + amount);
}

function startAuction(state: State, { data }: AuctionStarted, actor: Actor): void {
  state.auctionCount += 1;
  state.auctions.set(data.auction, {
    id: data.auction,
    entry: state.version,
    startedBy: actor,
    pool: data.pool,
    minimumBid: BigInt(data.minimumBid),
    increment: BigInt(data.increment),
    startsAtMs: data.startsAtMs,
    antiSnipe: data.antiSnipe,
    base: { endsAtMs: data.endsAtMs, extensions: 0 },
    endsAtMs: data.endsAtMs,
    extensions: 0,
    called: false,
    leader: undefined,
    bidCount: 0,
    waiting: [],
  });
}

function placeBid(state: State, { data }: BidPlaced): void {
  const judged = judge(auctionOf(state, data.auction), {
    member: data.member,
    amount: BigInt(data.amount),
    bid: data.bid,
    bidAtMs: data.bidAtMs,
    seq: state.version,
  });
  if ("fault" in judged) {
    throw new Error(`the bid of event ${state.version} does not count: ${judged.fault}`);
  }
  replaceAuction(state, judged.auction);
}

function lapse(state: State, { data }: HoldLapsed): void {
  const auction = auctionOf(state, data.auction);
  let leader: Bid | undefined = auction.leader?.previous;
  while (leader !== undefined && leader.bid !== data.leader?.bid) {
    leader = leader.previous;
  }
  replaceAuction(state, withLeader(auction, leader));
}

function reverse(state: State, { data }: EventReversed): void {
  for (const { member, pool, amount } of data.changes) {
    credit(state, member, pool, BigInt(amount));
  }
  if (data.reinstates !== undefined) {
    state.reversals.delete(data.reinstates);
  }
  state.reversals.set(data.target, state.version);
  state.recentAwards = state.recentAwards.filter(({ entry }) => entry !== data.target);
}

function changeRules(state: State, { data }: RulesChanged): void {
  const { git, discord } = state.settings;
  const set = { ...discord, ...data.settings };
  state.settings =
    data.source === "git"
      ? { git: data.settings, discord }
      : { git, discord: Object.fromEntries(Object.entries(set).filter(([, value]) => value !== null)) };
  state.rules = rulesOf(state.version, state.settings.git, state.settings.discord);
}

function auctionOf(state: State, id: Auction["id"]): Auction {
  const auction = state.auctions.get(id);
  if (auction === undefined) {
    throw new Error(`event ${state.version} is about the auction ${id}, which is not open`);
  }
  return auction;
}

function replaceAuction(state: State, auction: Auction): void {
  release(state, state.auctions.get(auction.id));
  state.auctions.set(auction.id, auction);
  hold(state, auction, auction.leader?.amount ?? 0n);
}

function removeAuction(state: State, id: Auction["id"]): void {
  release(state, auctionOf(state, id));
  state.auctions.delete(id);
}

function release(state: State, auction: Auction | undefined): void {
  if (auction !== undefined) {
    hold(state, auction, -(auction.leader?.amount ?? 0n));
  }
}

function hold(state: State, { pool, leader }: Auction, amount: bigint): void {
  if (leader === undefined) {
    return;
  }
  const key = `${leader.member}/${pool}` as const;
  const held = (state.holds.get(key) ?? 0n) + amount;
  if (held === 0n) {
    state.holds.delete(key);
  } else {
    state.holds.set(key, held);
  }
}
