import type { AuctionId, MemberId, PoolName } from "./event.ts";

/** Why a command was not carried out, with the facts that a sentence about it needs. Amounts are hundredths. */
export type Refusal =
  | { readonly code: "AMOUNT_MALFORMED"; readonly text: string }
  | { readonly code: "AMOUNT_TOO_PRECISE"; readonly text: string; readonly decimals: number }
  | { readonly code: "AMOUNT_NOT_POSITIVE" }
  | { readonly code: "AMOUNT_OUT_OF_RANGE"; readonly maximum: bigint }
  | { readonly code: "UNKNOWN_POOL"; readonly pool: PoolName; readonly pools: readonly PoolName[] }
  | { readonly code: "NO_MEMBERS" }
  | { readonly code: "UNKNOWN_MEMBER"; readonly member: MemberId }
  /** The same award was given `entry` at `atMs`; send the command with `confirmed: true` to give it again. */
  | { readonly code: "REPEATED_AWARD"; readonly entry: number; readonly atMs: number }
  | {
      readonly code: "INSUFFICIENT_POINTS";
      readonly pool: PoolName;
      readonly member: MemberId;
      readonly needed: bigint;
      readonly balance: bigint;
      /** Held by leading bids in other auctions. */
      readonly held: bigint;
      /** balance − held − the pool's floor, never shown below zero. */
      readonly available: bigint;
    }
  | { readonly code: "UNKNOWN_AUCTION"; readonly auction: AuctionId }
  | { readonly code: "AUCTION_CLOSED"; readonly auction: AuctionId }
  /** The bid was made at or after the end. */
  | { readonly code: "AUCTION_ENDED"; readonly auction: AuctionId; readonly endsAtMs: number }
  | { readonly code: "AUCTION_NOT_DUE"; readonly auction: AuctionId; readonly dueAtMs: number }
  /** Too long or too short, by the limits of DURATION_MS. */
  | { readonly code: "DURATION_OUT_OF_RANGE"; readonly minimumMs: number; readonly maximumMs: number }
  | {
      readonly code: "BID_TOO_LOW";
      readonly auction: AuctionId;
      readonly pool: PoolName;
      readonly minimum: bigint;
    }
  | { readonly code: "UNKNOWN_ENTRY"; readonly entry: number }
  | { readonly code: "NOT_UNDOABLE"; readonly entry: number; readonly type: string }
  | { readonly code: "ALREADY_UNDONE"; readonly entry: number; readonly by: number }
  | { readonly code: "RULES_OWNED_BY_GIT"; readonly keys: readonly string[] }
  | { readonly code: "RULE_INVALID"; readonly key: string; readonly problem: string }
  | { readonly code: "POOL_IN_USE"; readonly pool: PoolName }
  | { readonly code: "READ_ONLY" }
  /** The ledger was restored (to `target`, RFC 3339, or to the newest there was) and no officer has confirmed it yet. */
  | { readonly code: "RESTORED"; readonly target?: string }
  /** The leader has not noted the restore yet, so there is nothing to confirm for a moment. */
  | { readonly code: "RESTORE_NOT_NOTED" }
  | { readonly code: "NOTHING_RESTORED" }
  | { readonly code: "MAINTENANCE"; readonly message?: string };
