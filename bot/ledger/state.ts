import type { Actor, AntiSnipe, AuctionId, LedgerRestored, MemberId, Mode, PoolName } from "./event.ts";
import { GENESIS } from "./hash.ts";
import { layered } from "./layered.ts";
import type { Layered } from "./layered.ts";
import { rulesOf } from "./rules.ts";
import type { Pool, Rules, Settings } from "./rules.ts";

/**
 * One record bid of an ascending auction: it exceeded every bid made before it. The list runs from the newest by bid
 * time to the oldest, so that appending shares everything and a late arrival rebuilds only what is newer than it.
 */
export type Bid = {
  readonly member: MemberId;
  readonly amount: bigint;
  readonly bid: string;
  readonly bidAtMs: number;
  /** The event that placed it: tells which of a member's holds is the newest. */
  readonly seq: number;
  /** The auction's end and extensions used once this bid counted. */
  readonly endsAtMs: number;
  readonly extensions: number;
  readonly previous: Bid | undefined;
};

/** An auction that is neither settled nor cancelled. Replaced, never changed. */
export type Auction = {
  readonly id: AuctionId;
  /** The seq of its AuctionStarted. */
  readonly entry: number;
  readonly startedBy: Actor;
  readonly pool: PoolName;
  readonly minimumBid: bigint;
  readonly increment: bigint;
  readonly startsAtMs: number;
  readonly antiSnipe: AntiSnipe;
  /** The end before any bid, and the extensions that voided bids have left behind. */
  readonly base: { readonly endsAtMs: number; readonly extensions: number };
  readonly endsAtMs: number;
  readonly extensions: number;
  /** An officer ended the bidding. */
  readonly called: boolean;
  /** The leading bid, which holds its amount. */
  readonly leader: Bid | undefined;
  readonly bidCount: number;
  /** Bids made after the end that count if it is extended, in the order they were made. */
  readonly waiting: readonly WaitingBid[];
};

export type WaitingBid = Pick<Bid, "member" | "amount" | "bid" | "bidAtMs">;

type RecentAward = { readonly entry: number; readonly atMs: number; readonly key: string };

/** A restore that the ledger knows of. */
type Restore = LedgerRestored["data"] & {
  /** The seq of its LedgerRestored. */
  readonly entry: number;
  readonly confirmed: boolean;
};

/** Everything that deciding needs, at one version of the ledger. */
export type State = {
  /** The seq of the last event; 0 for an empty ledger. */
  version: number;
  /** Hex; 64 zeros for an empty ledger. */
  headHash: string;
  ledger: string | undefined;
  guild: string | undefined;
  mode: { readonly mode: Mode; readonly message?: string; readonly channel?: string };
  /** The restores that this ledger went through, oldest first. */
  restores: readonly Restore[];
  rules: Rules;
  settings: { readonly git: Settings; readonly discord: Settings };
  memberCount: number;
  auctionCount: number;
  /** By `member/pool`; a member without an entry has the pool's start points coming. */
  balances: Layered<string, bigint>;
  /** By `member/pool`: the sum of the member's leading bids. */
  holds: Layered<string, bigint>;
  /** The open auctions. */
  auctions: Layered<AuctionId, Auction>;
  /** Reversed event → the reversal that stands. */
  reversals: Layered<number, number>;
  /** Awards of the last two minutes, newest last. */
  recentAwards: readonly RecentAward[];
};

/** The state of a ledger without events. */
export function emptyState(): State {
  return {
    version: 0,
    headHash: GENESIS,
    ledger: undefined,
    guild: undefined,
    mode: { mode: "active" },
    restores: [],
    rules: rulesOf(0, {}, {}),
    settings: { git: {}, discord: {} },
    memberCount: 0,
    auctionCount: 0,
    balances: layered(),
    holds: layered(),
    auctions: layered(),
    reversals: layered(),
    recentAwards: [],
  };
}

/** A state on top of another, which must rest while this one is evolved; see `mergeState`. */
export function forkState(state: State): State {
  return {
    ...state,
    balances: state.balances.fork(),
    holds: state.holds.fork(),
    auctions: state.auctions.fork(),
    reversals: state.reversals.fork(),
  };
}

/** Writes a forked state into the one below it. */
export function mergeState(fork: State, below: State): void {
  fork.balances.merge();
  fork.holds.merge();
  fork.auctions.merge();
  fork.reversals.merge();
  const { balances, holds, auctions, reversals } = below;
  Object.assign(below, fork, { balances, holds, auctions, reversals });
}

/** The pool of that name, or the guild's first one when none is named; undefined for a name that the rules lack. */
export function poolOf(state: State, name?: PoolName): Pool | undefined {
  return name === undefined ? state.rules.pools[0] : state.rules.pools.find((pool) => pool.name === name);
}

/** A member's balance in hundredths; the pool's start points for one whose balance never moved. */
export function balanceOf(state: State, member: MemberId, pool: PoolName): bigint {
  return state.balances.get(`${member}/${pool}`) ?? poolOf(state, pool)?.startPoints ?? 0n;
}

/** What the member's leading bids hold, in hundredths. */
export function heldBy(state: State, member: MemberId, pool: PoolName): bigint {
  return state.holds.get(`${member}/${pool}`) ?? 0n;
}

/** What the member can still spend, in hundredths: balance − holds − the pool's floor. May be negative. */
export function availableTo(state: State, member: MemberId, pool: PoolName): bigint {
  return balanceOf(state, member, pool) - heldBy(state, member, pool) - (poolOf(state, pool)?.floor ?? 0n);
}

/** True for an id that the ledger has given to a member. */
export function isMember(state: State, member: MemberId): boolean {
  const number = Number(member.slice(1));
  return Number.isInteger(number) && number >= 1 && number <= state.memberCount;
}
