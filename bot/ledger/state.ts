import type { Actor, AntiSnipe, AuctionId, MemberId, Mode, PoolName } from "./event.ts";
import type { Rules, Settings } from "./rules.ts";
import type { Layered } from "./layered.ts";

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
};

export type RecentAward = { readonly entry: number; readonly atMs: number; readonly key: string };

/** Everything that deciding needs, at one version of the ledger. */
export type State = {
  /** The seq of the last event; 0 for an empty ledger. */
  version: number;
  /** Hex; 64 zeros for an empty ledger. */
  headHash: string;
  ledger: string | undefined;
  guild: string | undefined;
  mode: { readonly mode: Mode; readonly message?: string };
  rules: Rules;
  settings: { readonly git: Settings; readonly discord: Settings };
  memberCount: number;
  auctionCount: number;
  /** By `pool/member`; a member without an entry has the pool's start points coming. */
  balances: Layered<string, bigint>;
  /** By `pool/member`: the sum of the member's leading bids. */
  holds: Layered<string, bigint>;
  /** The open auctions. */
  auctions: Layered<AuctionId, Auction>;
  /** Reversed event → the reversal that stands. */
  reversals: Layered<number, number>;
  /** Awards of the last two minutes, newest last. */
  recentAwards: readonly RecentAward[];
};
