import type { Command } from "../ledger/command.ts";
import type { Decision } from "../ledger/decision.ts";
import type { AuctionId, LedgerEvent, MemberId } from "../ledger/event.ts";
import type { Refusal } from "../ledger/refusal.ts";
import type { State } from "../ledger/state.ts";
import type { OutboxRow, OutgoingCall } from "./call.ts";

/** A Discord account as an interaction names it. */
export type DiscordAccount = {
  readonly discordId: string;
  /** The name to show where a mention cannot be; stored in the erasable identity table. */
  readonly name?: string;
};

/** What a command is made from: the state it will be decided on, and the way from Discord ids to member ids. */
export type Making = {
  readonly state: State;
  /** The account's member; one that is not known yet gets an id, registered only if the command is accepted. */
  member(account: DiscordAccount): MemberId;
};

/** What an answer is rendered from, after the decision. */
export type View = {
  /** After the decision when it was accepted. */
  readonly state: State;
  readonly atMs: number;
  /** Undefined for a member without Discord account and after an erasure. */
  discordId(member: MemberId): string | undefined;
  /** The item of an auction that is open or was closed by this decision; undefined after an erasure. */
  item(auction: AuctionId): string | undefined;
};

export type Request = {
  /** A command, or how to make it from the state; a refusal ends it there. Called again after a lost race: pure. */
  readonly command: Command | ((making: Making) => Command | { readonly refusal: Refusal });
  /** The claim that this answers (inbox.ts): finished with the append, so that exactly one answer is ever stored. */
  readonly interaction?: { readonly id: string; readonly epoch: number };
  /** Unix milliseconds. */
  readonly atMs: number;
  readonly actor: DiscordAccount | "git" | "leader";
  /** The leader term that must still hold when this is written (leader-term.ts). */
  readonly term?: bigint;
  /** The calls owed for this decision. Called again after a lost race: pure. */
  readonly render?: (decision: Decision, view: View) => readonly OutgoingCall[];
};

/** `repeated`: the interaction had been answered before; this is the first answer, without its events. */
export type Executed = {
  readonly decision: Decision;
  /**
   * Leased to this replica for half a minute: deliver them, then tell the outbox. When repeated, those that are still
   * owed and leased to this replica.
   */
  readonly outgoing: readonly OutboxRow[];
  readonly repeated: boolean;
  /** The ledger's version after it. */
  readonly version: number;
};

/** An event that joined the ledger, by this replica or another. */
export type Appended = { readonly seq: number; readonly atMs: number; readonly event: LedgerEvent };

export type GuildLedger = {
  /**
   * Decides and appends, in order of arrival, many requests at once.
   * @throws ClaimLost when the claim is not this replica's any more
   * @throws TermLost when `term` no longer holds: stop leading
   * @throws DatabaseAway with `cause` when the database stayed away for the command timeout
   */
  execute(request: Request): Promise<Executed>;
  /** What `execute` would decide now, without writing. */
  preview(request: Pick<Request, "command" | "atMs" | "actor">): Promise<{ decision: Decision; view: View }>;
  /** The state this replica knows; other replicas may be ahead by the time of a notification. */
  state(): State;
  /** A view of that state for rendering. */
  view(): View;
  /** Reads what other replicas have appended; given a version, only if this replica does not know it yet. */
  catchUp(version?: number): Promise<void>;
  /** Called for each event in order, own and others'; returns the way to stop. */
  onAppended(listener: (appended: Appended) => void): () => void;
  /** Finishes what is queued, then stops. */
  close(): Promise<void>;
};
