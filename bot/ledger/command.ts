import type {
  Actor,
  AuctionId,
  Commitment,
  Json,
  LedgerEvent,
  LedgerRestored,
  MemberId,
  Mode,
  PoolName,
} from "./event.ts";

/** Text typed by a person: the ledger keeps the commitment, an erasable table the rest. */
export type FreeText = { readonly text: string; readonly salt: string; readonly commitment: Commitment };

type Points = {
  /** Several awards of one command each name the pool; the guild's first pool when absent. */
  readonly pool?: PoolName;
  /** Hundredths, for each member. */
  readonly amount: bigint;
  readonly members: readonly MemberId[];
  readonly reason?: FreeText;
};

export type Award = Points & { readonly type: "award"; readonly confirmed?: boolean };
export type Deduct = Points & { readonly type: "deduct" };
export type Undo = {
  readonly type: "undo";
  /** The seq of the event to take back. */
  readonly entry: number;
  readonly reason?: FreeText;
};
export type StartAuction = {
  readonly type: "startAuction";
  readonly item: FreeText;
  readonly pool?: PoolName;
  /** These default to the rules. */
  readonly minimumBid?: bigint;
  readonly increment?: bigint;
  readonly durationMs?: number;
};
export type PlaceBid = {
  readonly type: "placeBid";
  readonly auction: AuctionId;
  readonly member: MemberId;
  readonly amount: bigint;
  /** The interaction's snowflake and the time in it. */
  readonly bid: string;
  readonly bidAtMs: number;
};
export type CloseAuction = {
  readonly type: "closeAuction";
  readonly auction: AuctionId;
  /** `due` settles three seconds after the end; `officer` ends the bidding now, and settles if that was long ago. */
  readonly by: "due" | "officer";
};
export type CancelAuction = {
  readonly type: "cancelAuction";
  readonly auction: AuctionId;
  readonly reason?: FreeText;
};
export type SetRules =
  | { readonly type: "setRules"; readonly source: "git"; readonly settings: Readonly<Record<string, Json>> }
  | {
      readonly type: "setRules";
      readonly source: "discord";
      /** By key as in RULE_KEYS; null returns a key to its default. */
      readonly settings: Readonly<Record<string, Json>>;
    };
export type SetMode = {
  readonly type: "setMode";
  readonly mode: Mode;
  readonly message?: string;
  /** Where a change is announced. */
  readonly channel?: string;
};
/** Notes that this ledger was restored, unless it knows already. */
export type RecordRestore = LedgerRestored["data"] & { readonly type: "recordRestore" };
/** Lets changes and jobs go on after a restore. */
type ConfirmRestore = { readonly type: "confirmRestore" };

export type Command =
  | Award
  | Deduct
  | Undo
  | StartAuction
  | PlaceBid
  | CloseAuction
  | CancelAuction
  | SetRules
  | SetMode
  | RecordRestore
  | ConfirmRestore;

/** A member that the ledger does not know yet and that this command names; registered only if it is accepted. */
export type Newcomer = { readonly member: MemberId; readonly identity?: Commitment };

/** A restore as the configuration names it. */
export type ConfiguredRestore = { readonly id: string; readonly target?: string };

export type Context = {
  /** Unix time in milliseconds at which the command is decided. */
  readonly atMs: number;
  readonly actor: Actor;
  readonly newcomers?: readonly Newcomer[];
  /** The restore that this replica is told of: one that the ledger does not know yet forbids changes already. */
  readonly restore?: ConfiguredRestore;
  /** The event that an `undo` names, as read from the ledger; absent when there is none. */
  readonly target?: LedgerEvent;
};
