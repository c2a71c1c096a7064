import canonicalize from "canonicalize";
import type { EventType, StoredEvent } from "./event.ts";

/** The versions of each type that this program reads; the last one is what it writes. */
const versions: Record<EventType, number> = {
  LedgerOpened: 1,
  MemberRegistered: 1,
  StartPointsGranted: 1,
  PointsAwarded: 1,
  PointsDeducted: 1,
  AuctionStarted: 1,
  BidPlaced: 1,
  BidWaiting: 1,
  HoldLapsed: 1,
  AuctionCalled: 1,
  AuctionSettled: 1,
  AuctionCancelled: 1,
  EventReversed: 1,
  RulesChanged: 1,
  ModeChanged: 1,
  LedgerRestored: 1,
  RestoreConfirmed: 1,
};

type Written = { readonly type: string; readonly version: number; readonly data: unknown };

/** How an event of an older version becomes the next one, by `Type/version`. */
export type Upcasters = Readonly<Record<string, (event: Written) => Written>>;

const upcasters: Upcasters = {};

/** The canonical text of an event (RFC 8785): what is hashed and stored, byte for byte. */
export function encode(event: StoredEvent): string {
  const text = canonicalize(event);
  if (text === undefined) {
    throw new TypeError("an event is not JSON");
  }
  return text;
}

/**
 * Reads a stored text.
 * @throws UnreadableEvent for a type or version that this program does not know: whoever cannot read the whole ledger
 *   must not decide by a part of it
 */
export function decode(text: string): StoredEvent {
  const written = JSON.parse(text) as Written;
  return (versions[written.type as EventType] === written.version
    ? written
    : upcast(written, versions, upcasters)) as unknown as StoredEvent;
}

/** Brings an event to the version this program writes, step by step. */
export function upcast(event: Written, known: Readonly<Record<string, number>>, steps: Upcasters): Written {
  const current = known[event.type];
  if (event.version === current) {
    return event;
  }
  const step = steps[`${event.type}/${event.version}`];
  if (current === undefined || event.version > current || step === undefined) {
    throw Object.assign(
      new Error(`this version cannot read events of type ${event.type}, version ${event.version}: update it`),
      { name: "UnreadableEvent" },
    );
  }
  return upcast({ ...event, ...step(event) }, known, steps);
}
