import { MAXIMUM_BALANCE, amountRefusal, hundredths } from "./amount.ts";
import type { Award, Deduct, Undo } from "./command.ts";
import type { Lapse, Outcome } from "./decision.ts";
import { balancesOf, disclose, emit, grantStartPoints, lapseHolds, memberRefusal } from "./draft.ts";
import type { Draft } from "./draft.ts";
import type { Change, Hundredths, LedgerEvent, MemberId, PoolName } from "./event.ts";
import { REPEAT_WINDOW_MS, awardKey } from "./evolve.ts";
import type { Refusal } from "./refusal.ts";
import { balanceOf, poolOf } from "./state.ts";
import type { Pool } from "./rules.ts";
import type { State } from "./state.ts";

/** Gives points to each of the members. The same award within two minutes has to be confirmed. */
export function award(work: Draft, command: Award): Outcome | Refusal {
  const prepared = prepare(work, command);
  if ("code" in prepared) {
    return prepared;
  }
  const { pool, members, amount } = prepared;
  const key = awardKey(pool.name, amount, members);
  const repeated = work.state.recentAwards.findLast(
    (recent) => recent.key === key && recent.atMs > work.context.atMs - REPEAT_WINDOW_MS,
  );
  if (repeated !== undefined && command.confirmed !== true) {
    return { code: "REPEATED_AWARD", entry: repeated.entry, atMs: repeated.atMs };
  }
  const reason = disclose(work, "reason", command.reason);
  const data = { pool: pool.name, amount: hundredths(amount), members, ...reason };
  const entry = emit(work, { type: "PointsAwarded", version: 1, data });
  return {
    kind: "awarded",
    entry,
    pool: pool.name,
    amount,
    members: balancesOf(work, members, pool.name),
    lapsed: [],
  };
}

/** Takes points from each of the members; a balance may fall below the floor, which binds spends only. */
export function deduct(work: Draft, command: Deduct): Outcome | Refusal {
  const prepared = prepare(work, command);
  if ("code" in prepared) {
    return prepared;
  }
  const { pool, members, amount } = prepared;
  const reason = disclose(work, "reason", command.reason);
  const data = { pool: pool.name, amount: hundredths(amount), members, ...reason };
  const entry = emit(work, { type: "PointsDeducted", version: 1, data });
  const lapsed = members.flatMap((member) => lapseHolds(work, member, pool.name));
  return {
    kind: "deducted",
    entry,
    pool: pool.name,
    amount,
    members: balancesOf(work, members, pool.name),
    lapsed,
  };
}

type Prepared = { readonly pool: Pool; readonly members: readonly MemberId[]; readonly amount: bigint };

function prepare(work: Draft, command: Award | Deduct): Prepared | Refusal {
  const pool = poolOf(work.state, command.pool);
  if (pool === undefined) {
    const pools = work.state.rules.pools.map(({ name }) => name);
    return { code: "UNKNOWN_POOL", pool: command.pool ?? "", pools };
  }
  const members = [...new Set(command.members)];
  const refusal = amountRefusal(command.amount, pool.decimals) ?? memberRefusal(work.state, members);
  if (refusal !== undefined) {
    return refusal;
  }
  const change = command.type === "award" ? command.amount : -command.amount;
  if (members.some((member) => outOfRange(balanceOf(work.state, member, pool.name) + change))) {
    return { code: "AMOUNT_OUT_OF_RANGE", maximum: MAXIMUM_BALANCE };
  }
  grantStartPoints(work, members, pool.name);
  return { pool, members, amount: command.amount };
}

function outOfRange(balance: bigint): boolean {
  return balance > MAXIMUM_BALANCE || balance < -MAXIMUM_BALANCE;
}

/**
 * Takes an event back by the difference to a replay without it. Accepted bids and winners stand unless they are undone
 * themselves; holds that the balance no longer covers lapse, the newest first.
 */
export function undo(work: Draft, command: Undo): Outcome | Refusal {
  const { target } = work.context;
  const { entry } = command;
  if (target === undefined) {
    return { code: "UNKNOWN_ENTRY", entry };
  }
  const by = work.state.reversals.get(entry);
  if (by !== undefined) {
    return { code: "ALREADY_UNDONE", entry, by };
  }
  const taken = effects(target);
  if (taken === undefined) {
    return { code: "NOT_UNDOABLE", entry, type: target.type };
  }
  // Nothing that follows an effect scales with the balance, so the difference is the effect's opposite.
  const changes = taken.map((change) => ({ ...change, amount: negated(change.amount) }));
  const extreme = changes.some(({ member, pool, amount }) =>
    outOfRange(balanceOf(work.state, member, pool) + BigInt(amount)),
  );
  if (extreme) {
    return { code: "AMOUNT_OUT_OF_RANGE", maximum: MAXIMUM_BALANCE };
  }
  const reason = disclose(work, "reason", command.reason);
  const reinstates = target.type === "EventReversed" ? { reinstates: target.data.target } : {};
  const data = { target: entry, targetType: target.type, ...reinstates, changes, ...reason };
  const seq = emit(work, { type: "EventReversed", version: 1, data });
  const lapsed = changes.flatMap(({ member, pool }): Lapse[] => lapseHolds(work, member, pool));
  return {
    kind: "undone",
    entry: seq,
    target: entry,
    targetType: target.type,
    changes: changes.map((change) => told(work.state, change)),
    lapsed,
  };
}

function told(
  state: State,
  { member, pool, amount }: Change,
): { member: MemberId; pool: string; amount: bigint; balance: bigint } {
  return { member, pool, amount: BigInt(amount), balance: balanceOf(state, member, pool) };
}

/** What an event did to balances; undefined for one that cannot be taken back. */
export function effects(event: LedgerEvent): readonly Change[] | undefined {
  if (event.type === "PointsAwarded") {
    return each(event.data.members, event.data.pool, event.data.amount);
  }
  if (event.type === "PointsDeducted") {
    return each(event.data.members, event.data.pool, negated(event.data.amount));
  }
  if (event.type === "AuctionSettled" && event.data.winner !== undefined) {
    return each([event.data.winner.member], event.data.pool, negated(event.data.winner.amount));
  }
  // A reversal can be taken back; what took one back cannot, since undoing the event itself does the same.
  return event.type === "EventReversed" && event.data.reinstates === undefined
    ? event.data.changes
    : undefined;
}

function each(members: readonly MemberId[], pool: PoolName, amount: Hundredths): Change[] {
  return members.map((member) => ({ member, pool, amount }));
}

function negated(amount: Hundredths): Hundredths {
  return hundredths(-BigInt(amount));
}
