import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Command } from "../../../bot/ledger/command.ts";
import type { AuctionId, MemberId } from "../../../bot/ledger/event.ts";
import { balanceOf } from "../../../bot/ledger/state.ts";
import type { State } from "../../../bot/ledger/state.ts";
import { award, bid, item, ledgerWith, plain, replayed, start } from "./given.ts";
import type { Ledger } from "./given.ts";

const members = 4;
const rules = {
  pools: [{ name: "dkp", decimals: 2, startPoints: 20 }],
  "auctions.minimumBid": 1,
  "auctions.increment": "1.50",
  "auctions.durationSeconds": 120,
};

const member = fc.integer({ min: 1, max: members }).map((number): MemberId => `m${number}`);
const auctionId = fc.integer({ min: 1, max: 3 }).map((number): AuctionId => `a${number}`);
const amount = fc.bigInt({ min: 1n, max: 3_000n });
const someMembers = fc.uniqueArray(member, { minLength: 1, maxLength: members });

type Step = { readonly command: Command; readonly afterMs: number };

/** Commands as they may come, in time order; many of them are refused. */
const steps = fc
  .array(
    fc.oneof(
      fc.record({
        type: fc.constant("award" as const),
        amount,
        members: someMembers,
        confirmed: fc.constant(true),
      }),
      fc.record({ type: fc.constant("deduct" as const), amount, members: someMembers }),
      fc.record({ type: fc.constant("startAuction" as const), item: fc.constant(item) }),
      fc.record({ member, amount, auction: auctionId }),
      fc.record({ member, amount, auction: auctionId }),
      fc.record({ member, amount, auction: auctionId }),
      fc.record({
        type: fc.constant("closeAuction" as const),
        auction: auctionId,
        by: fc.constantFrom("due" as const, "officer" as const),
      }),
      fc.record({ type: fc.constant("cancelAuction" as const), auction: auctionId }),
      fc.record({ type: fc.constant("undo" as const), entry: fc.integer({ min: 1, max: 60 }) }),
    ),
    { minLength: 20, maxLength: 60 },
  )
  .map((commands) =>
    commands.map((command, index): Step => {
      const afterMs = (index + 1) * 4_000;
      return "type" in command
        ? { command, afterMs }
        : { command: bid(command.member, command.amount, afterMs, command.auction), afterMs };
    }),
  );

function played(commands: readonly Step[], check: (ledger: Ledger) => void = () => undefined): Ledger {
  const ledger = ledgerWith(members, rules);
  ledger.accepted({ type: "startAuction", item });
  ledger.accepted({ type: "startAuction", item });
  for (const { command, afterMs } of commands) {
    ledger.run(command, { atMs: start + afterMs });
    check(ledger);
  }
  return ledger;
}

/** Balances by the plainest reading of a log, leaving events out: what the laws are measured against. */
function tally(ledger: Ledger, without: readonly number[] = []): Record<string, bigint> {
  const sums: Record<string, bigint> = {};
  const add = (who: string, sum: string | bigint): void => {
    sums[who] = (sums[who] ?? 0n) + BigInt(sum);
  };
  ledger.log.forEach(({ event }, index) => {
    if (without.includes(index + 1)) {
      return;
    }
    if (event.type === "PointsAwarded") {
      event.data.members.forEach((who) => add(who, event.data.amount));
    } else if (event.type === "PointsDeducted") {
      event.data.members.forEach((who) => add(who, -BigInt(event.data.amount)));
    } else if (event.type === "StartPointsGranted") {
      add(event.data.member, event.data.amount);
    } else if (event.type === "AuctionSettled" && event.data.winner !== undefined) {
      add(event.data.winner.member, -BigInt(event.data.winner.amount));
    }
  });
  return sums;
}

function balancesOf(state: State): Record<string, bigint> {
  return Object.fromEntries(
    [...state.balances.entries()].map(([key, sum]) => [key.split("/")[0] ?? "", sum]),
  );
}

/** The events whose effect stands undone: reversed, by a reversal that is not reversed itself. */
function undone(ledger: Ledger): number[] {
  return [...ledger.state.reversals.entries()].map(([target]) => target);
}

describe("laws of the ledger", () => {
  test("replaying all events gives the live state", () => {
    fc.assert(
      fc.property(steps, (commands) => {
        const ledger = played(commands);
        expect(plain(replayed(ledger.log))).toEqual(plain(ledger.state));
      }),
    );
  });

  test("balances are awards and start points less deductions and spends, of what is not undone", () => {
    fc.assert(
      fc.property(steps, (commands) => {
        const ledger = played(commands);
        expect(balancesOf(ledger.state)).toEqual(
          expect.objectContaining(nonZero(tally(ledger, undone(ledger)), ledger.state)),
        );
      }),
    );
  });

  test("holds are the leading bids, and no member ever holds more than the balance covers", () => {
    fc.assert(
      fc.property(steps, (commands) => {
        played(commands, ({ state }) => {
          const held = new Map<string, bigint>();
          for (const [, { leader, pool }] of state.auctions.entries()) {
            if (leader !== undefined) {
              const key = `${leader.member}/${pool}`;
              held.set(key, (held.get(key) ?? 0n) + leader.amount);
            }
          }
          expect(new Map(state.holds.entries())).toEqual(held);
          for (const [key, sum] of held) {
            expect(state.balances.get(key)).toBeGreaterThanOrEqual(sum);
          }
        });
      }),
    );
  });

  test("undo is the difference to a replay without the event", () => {
    fc.assert(
      fc.property(steps, fc.nat(), (commands, pick) => {
        const ledger = played(commands.filter(({ command }) => command.type !== "undo"));
        const entries = ledger.log.flatMap(({ event }, index) =>
          /Awarded|Deducted|Settled/.test(event.type) ? [index + 1] : [],
        );
        const entry = entries[pick % entries.length] ?? 0;
        const without = tally(ledger, [entry]);
        const outcome = ledger.run({ type: "undo", entry }, { atMs: start + 3_600_000 });
        if ("kind" in outcome) {
          expect(balancesOf(ledger.state)).toEqual(expect.objectContaining(nonZero(without, ledger.state)));
        }
      }),
    );
  });
});

/** Only members whose balance has an entry, with zero where the tally has none. */
function nonZero(sums: Record<string, bigint>, state: State): Record<string, bigint> {
  return Object.fromEntries(Object.keys(balancesOf(state)).map((who) => [who, sums[who] ?? 0n]));
}

/** The bids of one auction as they arrive, each late by its own delay. */
function settled(offers: readonly { command: Command; atMs: number; delayMs: number }[]): unknown {
  const ledger = ledgerWith(members, {
    ...rules,
    "auctions.durationSeconds": 60,
    "auctions.antiSnipe.windowSeconds": 5,
    "auctions.antiSnipe.extensionSeconds": 4,
    "auctions.antiSnipe.maxExtensions": 3,
  });
  ledger.accepted(award(1_000_000n, "m1", "m2", "m3", "m4"));
  ledger.accepted({ type: "startAuction", item });
  const arriving = offers.toSorted((one, other) => one.atMs + one.delayMs - other.atMs - other.delayMs);
  const close = { type: "closeAuction", auction: "a1", by: "due" } as const;
  for (const { command, atMs, delayMs } of arriving) {
    // The Lease holder settles as soon as it may.
    ledger.run(close, { atMs: start + atMs + delayMs - 1 });
    ledger.run(command, { atMs: start + atMs + delayMs });
  }
  ledger.run(close, { atMs: start + 600_000 });
  const end = ledger.log.findLast(({ event }) => event.type === "AuctionSettled")?.event;
  const balances = ["m1", "m2", "m3", "m4"].map((who) => balanceOf(ledger.state, who as MemberId, "dkp"));
  return { end, balances };
}

describe("auctions", () => {
  const bids = fc.array(
    fc.record({
      member,
      amount: fc.bigInt({ min: 50n, max: 2_000n }),
      atMs: fc.integer({ min: 52_000, max: 72_000 }),
      delays: fc.tuple(fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 0, max: 3_000 })),
    }),
    { minLength: 15, maxLength: 40 },
  );

  test("are settled the same however bids are delayed within three seconds", () => {
    fc.assert(
      fc.property(bids, (drawn) => {
        const offers = drawn.map(({ member: who, amount: size, atMs, delays }, index) => ({
          command: { ...bid(who, size, atMs), bid: String(1_000_000 + atMs * 100 + index) } as Command,
          atMs,
          delays,
        }));
        const [first, second] = [0, 1].map((index) =>
          settled(
            offers.map(({ command, atMs, delays }) => ({ command, atMs, delayMs: delays[index] ?? 0 })),
          ),
        );
        expect(first).toEqual(second);
      }),
      { numRuns: 1000 },
    );
  });
});
