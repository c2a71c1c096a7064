import type { Command, Context } from "../../../bot/ledger/command.ts";
import { decide } from "../../../bot/ledger/decide.ts";
import type { Accepted, Outcome } from "../../../bot/ledger/decision.ts";
import type { Actor, LedgerEvent, MemberId } from "../../../bot/ledger/event.ts";
import { evolve } from "../../../bot/ledger/evolve.ts";
import { saltedText } from "../../../bot/ledger/hash.ts";
import type { Refusal } from "../../../bot/ledger/refusal.ts";
import { emptyState } from "../../../bot/ledger/state.ts";
import type { State } from "../../../bot/ledger/state.ts";

export const start = Date.UTC(2026, 10, 21, 20);

type Entry = { readonly event: LedgerEvent; readonly atMs: number; readonly actor: Actor };

/** A ledger in memory: decides, and keeps what was decided, as the store does with PostgreSQL. */
export type Ledger = {
  readonly state: State;
  readonly log: Entry[];
  /** Carries a command out and returns its outcome or its refusal. */
  run(command: Command, context?: Partial<Context>): Outcome | Refusal;
  /** As `run`, for a command that must be accepted. */
  accepted(command: Command, context?: Partial<Context>): Accepted;
};

/** A ledger with members m1 … mN and, if given, rules. */
export function ledgerWith(members: number, settings: Record<string, never> | Settings = {}): Ledger {
  const state = emptyState();
  const log: Entry[] = [];
  const put = (event: LedgerEvent, atMs: number, actor: Actor): void => {
    evolve(state, event, { atMs, actor });
    log.push({ event, atMs, actor });
  };
  for (let number = 1; number <= members; number += 1) {
    put({ type: "MemberRegistered", version: 1, data: { member: `m${number}` } }, start, "git");
  }
  const self: Ledger = {
    state,
    log,
    run(command, given = {}) {
      const context = withTarget(log, command, { atMs: start, actor: "m1", ...given });
      const decision = decide(state, command, context);
      if ("refusal" in decision) {
        return decision.refusal;
      }
      decision.events.forEach((event) => put(event, context.atMs, context.actor));
      return decision.outcome;
    },
    accepted(command, given = {}) {
      const context = withTarget(log, command, { atMs: start, actor: "m1", ...given });
      const decision = decide(state, command, context);
      if ("refusal" in decision) {
        throw new Error(`refused: ${JSON.stringify(decision.refusal, (_, value) => String(value))}`);
      }
      decision.events.forEach((event) => put(event, context.atMs, context.actor));
      return decision;
    },
  };
  if (Object.keys(settings).length > 0) {
    self.accepted({ type: "setRules", source: "git", settings });
  }
  return self;
}

type Settings = Extract<Command, { type: "setRules" }>["settings"];

function withTarget(log: readonly Entry[], command: Command, context: Context): Context {
  const target = command.type === "undo" ? log[command.entry - 1]?.event : undefined;
  return target === undefined ? context : { ...context, target };
}

/** The state that a log of events leads to. */
export function replayed(log: readonly Entry[]): State {
  const state = emptyState();
  for (const { event, atMs, actor } of log) {
    evolve(state, event, { atMs, actor });
  }
  return state;
}

/** A state as plain data, to compare. */
export function plain(state: State): unknown {
  const { balances, holds, auctions, reversals, ...rest } = state;
  return {
    ...rest,
    balances: entries(balances),
    holds: entries(holds),
    auctions: entries(auctions),
    reversals: entries(reversals),
  };
}

function entries(map: { entries(): Iterable<readonly [unknown, unknown]> }): unknown[] {
  return [...map.entries()].sort(([one], [other]) => String(one).localeCompare(String(other)));
}

export const item = saltedText("Sword", "00");

export function award(amount: bigint, ...members: MemberId[]): Command {
  return { type: "award", amount, members, confirmed: true };
}

export function deduct(amount: bigint, ...members: MemberId[]): Command {
  return { type: "deduct", amount, members };
}

/** A bid made so many milliseconds after the start. */
export function bid(
  member: MemberId,
  amount: bigint,
  afterMs: number,
  auction: `a${number}` = "a1",
): Command {
  return {
    type: "placeBid",
    auction,
    member,
    amount,
    bid: String(10_000_000 + afterMs),
    bidAtMs: start + afterMs,
  };
}
