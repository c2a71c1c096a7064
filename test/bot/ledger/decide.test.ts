import { describe, expect, test } from "vitest";
import { decide } from "../../../bot/ledger/decide.ts";
import { award, bid, deduct, item, ledgerWith, start } from "./given.ts";
import type { Ledger } from "./given.ts";

const quick = {
  "auctions.minimumBid": 10,
  "auctions.increment": 10,
  "auctions.durationSeconds": 60,
  "auctions.antiSnipe.windowSeconds": 10,
  "auctions.antiSnipe.extensionSeconds": 10,
  "auctions.antiSnipe.maxExtensions": 2,
};

/** Three members with 100 points each, and an open auction of a minute from 10 points in steps of 10. */
function auctioning(): Ledger {
  const ledger = ledgerWith(3, quick);
  ledger.accepted(award(10_000n, "m1", "m2", "m3"));
  ledger.accepted({ type: "startAuction", item });
  return ledger;
}

const due = { type: "closeAuction", auction: "a1", by: "due" } as const;

describe("awards and deductions", () => {
  test("an award reaches each member once", () => {
    const ledger = ledgerWith(2);
    expect(ledger.run(award(1_000n, "m1", "m2", "m1"))).toMatchObject({
      kind: "awarded",
      pool: "dkp",
      members: [
        { member: "m1", balance: 1_000n },
        { member: "m2", balance: 1_000n },
      ],
    });
  });

  test.each([
    { command: award(1_050n, "m1"), code: "AMOUNT_TOO_PRECISE" },
    { command: award(0n, "m1"), code: "AMOUNT_NOT_POSITIVE" },
    { command: award(-100n, "m1"), code: "AMOUNT_NOT_POSITIVE" },
    { command: award(10n ** 16n, "m1"), code: "AMOUNT_OUT_OF_RANGE" },
    { command: award(100n), code: "NO_MEMBERS" },
    { command: award(100n, "m9"), code: "UNKNOWN_MEMBER" },
    { command: { ...award(100n, "m1"), pool: "gold" }, code: "UNKNOWN_POOL" },
  ])("$code refuses and leaves the state as it was", ({ command, code }) => {
    const ledger = ledgerWith(1);
    const before = ledger.state.version;
    expect(ledger.run(command)).toMatchObject({ code });
    expect(ledger.state.version).toBe(before);
  });

  test("the same award within two minutes has to be confirmed; an undone one does not count", () => {
    const ledger = ledgerWith(2);
    const once = { type: "award", amount: 500n, members: ["m1", "m2"] } as const;
    const { entry } = ledger.run(once) as { entry: number };
    const swapped = { ...once, members: ["m2", "m1"] } as const;
    expect(ledger.run(swapped, { atMs: start + 119_999 })).toMatchObject({ code: "REPEATED_AWARD", entry });
    expect(ledger.run({ ...once, amount: 600n })).toMatchObject({ kind: "awarded" });
    expect(ledger.run(once, { atMs: start + 120_000 })).toMatchObject({ kind: "awarded" });
    ledger.accepted({ type: "undo", entry: entry + 2 }, { atMs: start + 120_000 });
    expect(ledger.run(once, { atMs: start + 120_000 })).toMatchObject({ kind: "awarded" });
    expect(ledger.run({ ...once, confirmed: true }, { atMs: start + 120_001 })).toMatchObject({
      kind: "awarded",
    });
  });

  test("start points come once, before the first change of a balance", () => {
    const ledger = ledgerWith(1, { pools: [{ name: "dkp", decimals: 2, startPoints: "12.50" }] });
    expect(ledger.run(award(1n, "m1"))).toMatchObject({ members: [{ balance: 1_251n }] });
    expect(ledger.run(award(1n, "m1"))).toMatchObject({ members: [{ balance: 1_252n }] });
  });

  test("a deduction goes below the floor, which binds spends only", () => {
    const ledger = ledgerWith(1);
    expect(ledger.run(deduct(500n, "m1"))).toMatchObject({ members: [{ balance: -500n }] });
  });
});

describe("auctions", () => {
  test("bids climb a ladder of steps, and the one outbid is named", () => {
    const ledger = auctioning();
    expect(ledger.run(bid("m1", 900n, 1_000))).toMatchObject({ code: "BID_TOO_LOW", minimum: 1_000n });
    expect(ledger.run(bid("m1", 1_000n, 1_000))).toMatchObject({ leads: true, nextMinimum: 2_000n });
    expect(ledger.run(bid("m2", 1_900n, 2_000))).toMatchObject({ code: "BID_TOO_LOW", minimum: 2_000n });
    expect(ledger.run(bid("m2", 2_500n, 3_000))).toMatchObject({
      outbid: { member: "m1", amount: 1_000n },
      nextMinimum: 3_000n,
    });
  });

  test("a leading bid holds its points in every auction, and frees them when it is outbid", () => {
    const ledger = auctioning();
    ledger.accepted({ type: "startAuction", item });
    ledger.accepted(bid("m1", 6_000n, 1_000));
    const other = bid("m1", 5_000n, 2_000, "a2");
    expect(ledger.run(other)).toMatchObject({
      code: "INSUFFICIENT_POINTS",
      balance: 10_000n,
      held: 6_000n,
      available: 4_000n,
    });
    ledger.accepted(bid("m2", 7_000n, 3_000));
    expect(ledger.run(other)).toMatchObject({ kind: "bidPlaced", leads: true });
  });

  test("a raise of one's own bid counts the points it already holds", () => {
    const ledger = auctioning();
    ledger.accepted(bid("m1", 6_000n, 1_000));
    expect(ledger.run(bid("m1", 10_000n, 2_000))).toMatchObject({ leads: true });
  });

  test("of two equal bids the one made first leads, whichever arrives first", () => {
    const ledger = auctioning();
    ledger.accepted(bid("m1", 5_000n, 2_001));
    expect(ledger.run(bid("m2", 5_000n, 2_000))).toMatchObject({ leads: true, outbid: { member: "m1" } });
    expect(ledger.run(bid("m3", 4_000n, 1_000))).toMatchObject({ leads: false });
    expect(ledger.state.auctions.get("a1")?.leader?.member).toBe("m2");
  });

  test("a late bid extends the end, a bounded number of times; a refused one never does", () => {
    const ledger = auctioning();
    expect(ledger.run(bid("m1", 1_000n, 49_000))).toMatchObject({
      extended: false,
      endsAtMs: start + 60_000,
    });
    expect(ledger.run(bid("m2", 1_000n, 59_000))).toMatchObject({ code: "BID_TOO_LOW" });
    expect(ledger.state.auctions.get("a1")?.endsAtMs).toBe(start + 60_000);
    expect(ledger.run(bid("m2", 2_000n, 59_000))).toMatchObject({ extended: true, endsAtMs: start + 70_000 });
    expect(ledger.run(bid("m1", 3_000n, 69_000))).toMatchObject({ extended: true, endsAtMs: start + 80_000 });
    expect(ledger.run(bid("m2", 4_000n, 79_000))).toMatchObject({
      extended: false,
      endsAtMs: start + 80_000,
    });
    expect(ledger.run(bid("m1", 5_000n, 80_000))).toMatchObject({ code: "AUCTION_ENDED" });
  });

  test("a bid just after the end waits, and counts if one still on its way extends the auction", () => {
    const ledger = auctioning();
    expect(ledger.run(bid("m1", 5_000n, 61_000))).toMatchObject({ leads: false, waiting: true });
    expect([...ledger.state.holds.entries()]).toEqual([]);
    expect(ledger.run(bid("m3", 9_000n, 63_000))).toMatchObject({ code: "AUCTION_ENDED" });
    expect(ledger.run(bid("m2", 2_000n, 59_000))).toMatchObject({
      leads: false,
      promoted: [{ member: "m1", amount: 5_000n }],
      endsAtMs: start + 80_000,
    });
    expect(ledger.state.auctions.get("a1")?.leader?.member).toBe("m1");
  });

  test("settles three seconds after the end, and charges the winner", () => {
    const ledger = auctioning();
    ledger.accepted(bid("m1", 5_000n, 1_000));
    expect(ledger.run(due, { atMs: start + 62_999 })).toMatchObject({ code: "AUCTION_NOT_DUE" });
    expect(ledger.run(bid("m2", 6_000n, 40_000), { atMs: start + 62_999 })).toMatchObject({ leads: true });
    expect(ledger.run(due, { atMs: start + 63_000 })).toMatchObject({
      winner: { member: "m2", amount: 6_000n, balance: 4_000n },
    });
    expect(ledger.run(due, { atMs: start + 63_000 })).toEqual({ code: "AUCTION_CLOSED", auction: "a1" });
    expect(ledger.run({ ...due, auction: "a2" })).toEqual({ code: "UNKNOWN_AUCTION", auction: "a2" });
    expect([...ledger.state.holds.entries()]).toEqual([]);
  });

  test("an officer's close ends the bidding at once; bids made before it still count", () => {
    const ledger = auctioning();
    const closing = ledger.run({ ...due, by: "officer" }, { atMs: start + 20_000 });
    expect(closing).toMatchObject({ kind: "auctionClosing", dueAtMs: start + 23_000 });
    expect(ledger.run(bid("m1", 1_000n, 19_999))).toMatchObject({ leads: true, extended: false });
    expect(ledger.run(bid("m2", 2_000n, 20_000))).toMatchObject({ code: "AUCTION_ENDED" });
    expect(ledger.run({ ...due, by: "officer" }, { atMs: start + 23_000 })).toMatchObject({
      kind: "auctionSettled",
      winner: { member: "m1" },
    });
  });

  test("a cancelled auction frees what it held", () => {
    const ledger = auctioning();
    ledger.accepted(bid("m1", 5_000n, 1_000));
    const cancelled = ledger.run({ type: "cancelAuction", auction: "a1" });
    expect(cancelled).toMatchObject({ released: { member: "m1", amount: 5_000n } });
    expect([...ledger.state.holds.entries()]).toEqual([]);
  });
});

describe("undo", () => {
  test("takes an award back, lets the newest holds lapse, and says whose bid leads now", () => {
    const ledger = auctioning();
    ledger.accepted({ type: "startAuction", item });
    const { entry } = ledger.run(award(10_000n, "m1")) as { entry: number };
    ledger.accepted(bid("m2", 2_000n, 1_000, "a2"));
    ledger.accepted(bid("m1", 8_000n, 1_500));
    ledger.accepted(bid("m1", 9_000n, 2_000, "a2"));
    expect(ledger.run({ type: "undo", entry })).toMatchObject({
      kind: "undone",
      changes: [{ member: "m1", amount: -10_000n, balance: 10_000n }],
      lapsed: [{ auction: "a2", amount: 9_000n, leader: { member: "m2", amount: 2_000n } }],
    });
    expect(ledger.state.auctions.get("a1")?.leader?.member).toBe("m1");
    expect(ledger.run({ type: "undo", entry })).toMatchObject({ code: "ALREADY_UNDONE" });
  });

  test("can itself be undone, after which the event can be undone again", () => {
    const ledger = ledgerWith(1);
    const { entry } = ledger.run(award(1_000n, "m1")) as { entry: number };
    const undone = ledger.run({ type: "undo", entry }) as { entry: number };
    expect(ledger.run({ type: "undo", entry: undone.entry })).toMatchObject({
      changes: [{ balance: 1_000n }],
    });
    expect(ledger.run({ type: "undo", entry: undone.entry + 1 })).toMatchObject({ code: "NOT_UNDOABLE" });
    expect(ledger.run({ type: "undo", entry })).toMatchObject({ changes: [{ balance: 0n }] });
  });

  test("refuses what is not there and what cannot be taken back", () => {
    const ledger = auctioning();
    expect(ledger.run({ type: "undo", entry: 99 })).toEqual({ code: "UNKNOWN_ENTRY", entry: 99 });
    expect(ledger.run({ type: "undo", entry: 1 })).toMatchObject({
      code: "NOT_UNDOABLE",
      type: "MemberRegistered",
    });
  });
});

describe("rules and mode", () => {
  test("what Git sets cannot be changed in Discord, and comes back to Discord when Git lets go", () => {
    const ledger = ledgerWith(1);
    const set = (value: number) =>
      ledger.run({ type: "setRules", source: "discord", settings: { "auctions.increment": value } });
    const git = (settings: Record<string, number>) =>
      ledger.run({ type: "setRules", source: "git", settings });
    expect(set(5)).toMatchObject({ kind: "rulesChanged", keys: ["auctions.increment"] });
    expect(git({ "auctions.increment": 20 })).toMatchObject({ keys: ["auctions.increment"] });
    expect(ledger.state.rules.auctions.increment).toBe(2_000n);
    expect(set(7)).toEqual({ code: "RULES_OWNED_BY_GIT", keys: ["auctions.increment"] });
    expect(git({ "auctions.increment": 20 })).toEqual({ kind: "unchanged" });
    expect(git({})).toMatchObject({ kind: "rulesChanged" });
    expect(ledger.state.rules.auctions.increment).toBe(500n);
  });

  test.each([
    { settings: { nonsense: 1 }, problem: "is not a rule" },
    { settings: { "auctions.increment": 0 }, problem: "at least 0.01" },
    { settings: { "auctions.antiSnipe.windowSeconds": 2 }, problem: "from 3" },
    { settings: { pools: [] }, problem: "1 to 20 pools" },
    { settings: { pools: [{ name: "dkp" }, { name: "dkp" }] }, problem: "twice" },
    { settings: { pools: [{ name: "dkp", startPoints: "0.5" }] }, problem: "0 decimals" },
    { settings: { timeZone: "Mars/Olympus" }, problem: "IANA" },
    { settings: { "roles.officers": ["everyone"] }, problem: "role ids" },
  ])("refuses $settings: $problem", ({ settings, problem }) => {
    const ledger = ledgerWith(0);
    expect(ledger.run({ type: "setRules", source: "discord", settings })).toMatchObject({
      code: "RULE_INVALID",
      problem: expect.stringContaining(problem) as string,
    });
  });

  test("a pool with points stays, with the decimals they need", () => {
    const ledger = ledgerWith(1, { pools: [{ name: "dkp", decimals: 2 }, { name: "epgp" }] });
    ledger.accepted(award(1_250n, "m1"));
    const pools = (...names: object[]) =>
      ledger.run({ type: "setRules", source: "git", settings: { pools: names as { name: string }[] } });
    expect(pools({ name: "epgp" })).toEqual({ code: "POOL_IN_USE", pool: "dkp" });
    expect(pools({ name: "dkp", decimals: 0 })).toEqual({ code: "POOL_IN_USE", pool: "dkp" });
    expect(pools({ name: "dkp", decimals: 1 })).toMatchObject({ kind: "rulesChanged" });
  });

  test("nothing is written while the guild is read-only or under maintenance, but the mode and Git's rules", () => {
    const ledger = ledgerWith(1);
    ledger.accepted({ type: "setMode", mode: "readOnly" });
    expect(ledger.run(award(100n, "m1"))).toEqual({ code: "READ_ONLY" });
    ledger.accepted({ type: "setMode", mode: "maintenance", message: "moving" });
    expect(ledger.run(award(100n, "m1"))).toEqual({ code: "MAINTENANCE", message: "moving" });
    expect(ledger.run({ type: "setRules", source: "git", settings: { locale: "de" } })).toMatchObject({
      kind: "rulesChanged",
    });
    ledger.accepted({ type: "setMode", mode: "active" });
    expect(ledger.run(award(100n, "m1"))).toMatchObject({ kind: "awarded" });
  });
});

test("deciding leaves the state as it was and gives the same decision again", () => {
  const ledger = auctioning();
  const command = bid("m1", 5_000n, 1_000);
  const context = { atMs: start, actor: "m1" } as const;
  const version = ledger.state.version;
  expect(decide(ledger.state, command, context)).toEqual(decide(ledger.state, command, context));
  expect(ledger.state.version).toBe(version);
  expect(ledger.state.auctions.get("a1")?.leader).toBeUndefined();
});
