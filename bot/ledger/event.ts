/**
 * The facts a ledger is made of. An event's data is exactly its JSON: what is hashed, stored, exported and read back.
 * This format outlives every version of the program, hence:
 *   - amounts are decimal strings of hundredths ("1250" is 12.50), never numbers;
 *   - members are internal ids ("m7"), auctions too ("a3"); Discord ids, names and free text appear as salted
 *     commitments only, what they commit to lives in tables that can be erased;
 *   - a change of shape is a new `version` and an upcaster; a change of meaning is a new `type`;
 *   - a fact that a later program might judge otherwise (who leads, when it ends, what an undo takes back) is written
 *     into the event, so that old events keep their effect for ever.
 */
export type MemberId = `m${number}`;
export type AuctionId = `a${number}`;
export type PoolName = string;
/** A decimal string of hundredths, as amounts are written in events. */
export type Hundredths = string;
/** SHA-256 in hex over a random salt and a text that is kept elsewhere. */
export type Commitment = string;
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** Who caused an event: a member, Git (through the Lease holder), or the Lease holder's own periodic jobs. */
export type Actor = MemberId | "git" | "leader";

export type Change = {
  readonly member: MemberId;
  readonly pool: PoolName;
  /** Signed. */
  readonly amount: Hundredths;
};

type Fact<Type extends string, Version extends number, Data> = {
  readonly type: Type;
  readonly version: Version;
  readonly data: Data;
};

type LedgerOpened = Fact<
  "LedgerOpened",
  1,
  { readonly ledger: string; readonly guild: string; readonly unit: "hundredths"; readonly hash: "sha256" }
>;
type MemberRegistered = Fact<
  "MemberRegistered",
  1,
  { readonly member: MemberId; readonly identity?: Commitment }
>;
/** Written before the first change to a member's balance in a pool that gives start points. */
type StartPointsGranted = Fact<"StartPointsGranted", 1, Change>;
export type PointsAwarded = Fact<"PointsAwarded", 1, PointsData>;
type PointsDeducted = Fact<"PointsDeducted", 1, PointsData>;
type PointsData = {
  readonly pool: PoolName;
  /** Positive, for each of the members. */
  readonly amount: Hundredths;
  readonly members: readonly MemberId[];
  readonly reason?: Commitment;
};
export type AntiSnipe = {
  readonly windowMs: number;
  readonly extensionMs: number;
  readonly maxExtensions: number;
};
export type AuctionStarted = Fact<
  "AuctionStarted",
  1,
  {
    readonly auction: AuctionId;
    readonly kind: "ascending";
    readonly pool: PoolName;
    readonly item: Commitment;
    readonly minimumBid: Hundredths;
    readonly increment: Hundredths;
    readonly startsAtMs: number;
    readonly endsAtMs: number;
    readonly antiSnipe: AntiSnipe;
  }
>;
export type BidPlaced = Fact<
  "BidPlaced",
  1,
  {
    readonly auction: AuctionId;
    readonly member: MemberId;
    /** What is held while the bid leads. */
    readonly amount: Hundredths;
    /** The interaction's snowflake: breaks ties of one millisecond. */
    readonly bid: string;
    readonly bidAtMs: number;
    readonly leads: boolean;
    /** The auction's end and the extensions used, this bid included. */
    readonly endsAtMs: number;
    readonly extensions: number;
  }
>;
/**
 * A bid made just after the end that is known: it counts only if a bid made before the end is still on its way and
 * extends it; a BidPlaced of the same `bid` follows then. It holds nothing.
 */
type BidWaiting = Fact<
  "BidWaiting",
  1,
  {
    readonly auction: AuctionId;
    readonly member: MemberId;
    readonly amount: Hundredths;
    readonly bid: string;
    readonly bidAtMs: number;
  }
>;
/** A hold that no longer fitted its member's balance: the bid is void, the next affordable one leads again. */
export type HoldLapsed = Fact<
  "HoldLapsed",
  1,
  {
    readonly auction: AuctionId;
    readonly member: MemberId;
    readonly amount: Hundredths;
    /** The bid that leads now. */
    readonly leader?: { readonly member: MemberId; readonly amount: Hundredths; readonly bid: string };
  }
>;
/** An officer ended the bidding early; bids made before `endsAtMs` still count. */
type AuctionCalled = Fact<"AuctionCalled", 1, { readonly auction: AuctionId; readonly endsAtMs: number }>;
type AuctionSettled = Fact<
  "AuctionSettled",
  1,
  {
    readonly auction: AuctionId;
    readonly pool: PoolName;
    readonly winner?: { readonly member: MemberId; readonly amount: Hundredths; readonly bid: string };
  }
>;
type AuctionCancelled = Fact<
  "AuctionCancelled",
  1,
  { readonly auction: AuctionId; readonly reason?: Commitment }
>;
/** Takes `target` back by the difference to a replay without it. */
export type EventReversed = Fact<
  "EventReversed",
  1,
  {
    readonly target: number;
    readonly targetType: string;
    /** When the target is itself a reversal: the event that stands again. */
    readonly reinstates?: number;
    readonly changes: readonly Change[];
    readonly reason?: Commitment;
  }
>;
/** `source: git` replaces everything that Git sets; `source: discord` sets the keys named (null unsets one). */
export type RulesChanged = Fact<
  "RulesChanged",
  1,
  { readonly source: "git" | "discord"; readonly settings: Readonly<Record<string, Json>> }
>;
export type Mode = "active" | "readOnly" | "maintenance";
/** `channel` is where the change is announced: leaving maintenance is told where entering it was. */
type ModeChanged = Fact<
  "ModeChanged",
  1,
  { readonly mode: Mode; readonly message?: string; readonly channel?: string }
>;
/** This ledger goes on from a backup: whatever followed the event before this one is abandoned. */
export type LedgerRestored = Fact<
  "LedgerRestored",
  1,
  {
    /** The uid of the DkpRestore. */
    readonly restore: string;
    /** The point in time that was restored to, RFC 3339; absent when it was the newest there was. */
    readonly target?: string;
    /** The Cluster that it was restored from. */
    readonly from: string;
    /** The last known head of the abandoned ledger: its hash (hex) tells which branch was given up. */
    readonly head?: { readonly version: number; readonly hash: string };
  }
>;
/** An officer has looked at what was restored: changes and jobs go on. */
type RestoreConfirmed = Fact<"RestoreConfirmed", 1, { readonly restore: string }>;

export type LedgerEvent =
  | LedgerOpened
  | MemberRegistered
  | StartPointsGranted
  | PointsAwarded
  | PointsDeducted
  | AuctionStarted
  | BidPlaced
  | BidWaiting
  | HoldLapsed
  | AuctionCalled
  | AuctionSettled
  | AuctionCancelled
  | EventReversed
  | RulesChanged
  | ModeChanged
  | LedgerRestored
  | RestoreConfirmed;

export type EventType = LedgerEvent["type"];

/** What surrounds an event in its hashed text. */
type Envelope = {
  /** 1 for the first event; without gaps. */
  readonly seq: number;
  readonly atMs: number;
  readonly guild: string;
  readonly actor: Actor;
  /** The Discord interaction that caused it. */
  readonly interaction?: string;
  /** The leader term under which a periodic job wrote it; a decimal string. */
  readonly term?: string;
  /** The version of the rules that it was decided by: the seq of the last RulesChanged, 0 before the first. */
  readonly rules: number;
};

export type StoredEvent = Envelope & LedgerEvent;
