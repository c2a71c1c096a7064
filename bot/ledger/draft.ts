import { hundredths } from "./amount.ts";
import type { Context, FreeText } from "./command.ts";
import type { Disclosure, Lapse } from "./decision.ts";
import type { Hundredths, LedgerEvent, MemberId, PoolName } from "./event.ts";
import { evolve } from "./evolve.ts";
import type { Refusal } from "./refusal.ts";
import { availableTo, balanceOf, forkState, heldBy, isMember, poolOf } from "./state.ts";
import type { Auction, Bid, State } from "./state.ts";

/** A decision in the making: events, and the state as it is after them. */
export type Draft = {
  readonly state: State;
  readonly context: Context;
  readonly events: LedgerEvent[];
  readonly disclosures: Disclosure[];
};

/** A draft on top of a state, with the newcomers registered. */
export function draft(state: State, context: Context): Draft {
  const self: Draft = { state: forkState(state), context, events: [], disclosures: [] };
  for (const data of context.newcomers ?? []) {
    emit(self, { type: "MemberRegistered", version: 1, data });
  }
  return self;
}

/** Adds an event and returns its seq. */
export function emit(draft: Draft, event: LedgerEvent): number {
  draft.events.push(event);
  evolve(draft.state, event, draft.context);
  return draft.state.version;
}

/** Notes the text that the next event commits to; spread the result into the event's data. */
export function disclose(draft: Draft, field: "reason", text: FreeText | undefined): { reason?: string } {
  if (text === undefined) {
    return {};
  }
  draft.disclosures.push({ event: draft.events.length, field, text });
  return { reason: text.commitment };
}

/** Grants the start points that come before the first change of a member's balance in a pool. */
export function grantStartPoints(draft: Draft, members: readonly MemberId[], pool: PoolName): void {
  const startPoints = poolOf(draft.state, pool)?.startPoints ?? 0n;
  for (const member of members) {
    if (startPoints > 0n && !draft.state.balances.has(`${member}/${pool}`)) {
      const data = { member, pool, amount: hundredths(startPoints) };
      emit(draft, { type: "StartPointsGranted", version: 1, data });
    }
  }
}

/** Why the members of a command will not do; undefined when they will. */
export function memberRefusal(state: State, members: readonly MemberId[]): Refusal | undefined {
  const stranger = members.find((member) => !isMember(state, member));
  if (stranger !== undefined) {
    return { code: "UNKNOWN_MEMBER", member: stranger };
  }
  return members.length === 0 ? { code: "NO_MEMBERS" } : undefined;
}

/**
 * Lets the newest holds of a member lapse until the balance covers the rest. The next older bid of that auction whose
 * member can still pay it leads again.
 */
export function lapseHolds(draft: Draft, member: MemberId, pool: PoolName): Lapse[] {
  const { state } = draft;
  const lapses: Lapse[] = [];
  while (heldBy(state, member, pool) > 0n && availableTo(state, member, pool) < 0n) {
    const auction = newestHold(state, member, pool);
    if (auction === undefined || auction.leader === undefined) {
      throw new Error(`${member} holds points in ${pool} without leading an auction`);
    }
    const { amount } = auction.leader;
    const next = nextAffordable(state, auction, auction.leader);
    const leader = next === undefined ? {} : { leader: { ...bidder(next), bid: next.bid } };
    const data = { auction: auction.id, member, amount: hundredths(amount), ...leader };
    emit(draft, { type: "HoldLapsed", version: 1, data });
    lapses.push({
      auction: auction.id,
      pool,
      member,
      amount,
      ...(next === undefined ? {} : { leader: { member: next.member, amount: next.amount } }),
    });
  }
  return lapses;
}

function bidder(bid: Bid): { member: MemberId; amount: Hundredths } {
  return { member: bid.member, amount: hundredths(bid.amount) };
}

function newestHold(state: State, member: MemberId, pool: PoolName): Auction | undefined {
  let newest: Auction | undefined;
  for (const [, auction] of state.auctions.entries()) {
    const leads = auction.pool === pool && auction.leader?.member === member;
    if (leads && (auction.leader?.seq ?? 0) > (newest?.leader?.seq ?? 0)) {
      newest = auction;
    }
  }
  return newest;
}

function nextAffordable(state: State, auction: Auction, lapsing: Bid): Bid | undefined {
  let bid = lapsing.previous;
  while (bid !== undefined) {
    const own = bid.member === lapsing.member ? lapsing.amount : 0n;
    if (availableTo(state, bid.member, auction.pool) + own >= bid.amount) {
      return bid;
    }
    bid = bid.previous;
  }
  return undefined;
}

/** Balances after the draft. */
export function balancesOf(
  { state }: Draft,
  members: readonly MemberId[],
  pool: PoolName,
): { member: MemberId; balance: bigint }[] {
  return members.map((member) => ({ member, balance: balanceOf(state, member, pool) }));
}
