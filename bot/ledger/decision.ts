import type { FreeText } from "./command.ts";
import type { AuctionId, LedgerEvent, MemberId, Mode, PoolName } from "./event.ts";
import type { Refusal } from "./refusal.ts";

export type MemberBalance = { readonly member: MemberId; readonly balance: bigint };

/** A bid that is void because its member's balance no longer covers it; tell the member. */
export type Lapse = {
  readonly auction: AuctionId;
  readonly pool: PoolName;
  readonly member: MemberId;
  readonly amount: bigint;
  /** Who leads that auction now. */
  readonly leader?: { readonly member: MemberId; readonly amount: bigint };
};

type Points = {
  /** The seq of the event: what `undo` names. */
  readonly entry: number;
  readonly pool: PoolName;
  readonly amount: bigint;
  /** Balances after it. */
  readonly members: readonly MemberBalance[];
  readonly lapsed: readonly Lapse[];
};

/** What an accepted command did. Amounts are hundredths. */
export type Outcome =
  | ({ readonly kind: "awarded" } & Points)
  | ({ readonly kind: "deducted" } & Points)
  | {
      readonly kind: "undone";
      readonly entry: number;
      readonly target: number;
      readonly targetType: string;
      readonly changes: readonly {
        readonly member: MemberId;
        readonly pool: PoolName;
        /** Signed. */
        readonly amount: bigint;
        readonly balance: bigint;
      }[];
      readonly lapsed: readonly Lapse[];
    }
  | {
      readonly kind: "auctionStarted";
      readonly auction: AuctionId;
      readonly pool: PoolName;
      readonly minimumBid: bigint;
      readonly increment: bigint;
      readonly endsAtMs: number;
    }
  | {
      readonly kind: "bidPlaced";
      readonly auction: AuctionId;
      readonly pool: PoolName;
      readonly member: MemberId;
      readonly amount: bigint;
      /** False for a bid made before a higher one that arrived first. */
      readonly leads: boolean;
      /** Made after the end: it counts only if a bid that is still on its way extends the auction. */
      readonly waiting?: true;
      /** Waiting bids that count now, since this bid extended the auction. */
      readonly promoted?: readonly { readonly member: MemberId; readonly amount: bigint }[];
      /** Who led until now, when that is another member. */
      readonly outbid?: { readonly member: MemberId; readonly amount: bigint };
      readonly endsAtMs: number;
      readonly extended: boolean;
      readonly nextMinimum: bigint;
    }
  | {
      readonly kind: "auctionClosing";
      readonly auction: AuctionId;
      readonly endsAtMs: number;
      readonly dueAtMs: number;
    }
  | {
      readonly kind: "auctionSettled";
      readonly entry: number;
      readonly auction: AuctionId;
      readonly pool: PoolName;
      readonly winner?: { readonly member: MemberId; readonly amount: bigint; readonly balance: bigint };
    }
  | {
      readonly kind: "auctionCancelled";
      readonly auction: AuctionId;
      readonly pool: PoolName;
      readonly released?: { readonly member: MemberId; readonly amount: bigint };
    }
  | { readonly kind: "rulesChanged"; readonly version: number; readonly keys: readonly string[] }
  | { readonly kind: "modeChanged"; readonly mode: Mode; readonly before: Mode; readonly channel?: string }
  | { readonly kind: "restoreRecorded"; readonly entry: number }
  | {
      readonly kind: "restoreConfirmed";
      readonly entry: number;
      readonly target?: string;
      /** Open auctions, which are settled when they are due, or at once if they are overdue. */
      readonly openAuctions: number;
    }
  /** The rules or the mode are as asked already; nothing was written. */
  | { readonly kind: "unchanged" };

/** A text that an event commits to: `event` indexes the decision's events. */
export type Disclosure = {
  readonly event: number;
  readonly field: "reason" | "item";
  readonly text: FreeText;
};

export type Accepted = {
  readonly events: readonly LedgerEvent[];
  readonly outcome: Outcome;
  readonly disclosures: readonly Disclosure[];
};
type Refused = { readonly refusal: Refusal };
export type Decision = Accepted | Refused;
