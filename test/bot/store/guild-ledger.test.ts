import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freeText } from "../../../bot/store/free-text.ts";
import { auction, entry, openAuctions, undoableEntries } from "../../../bot/store/auction-queries.ts";
import { catchUp, emptyMemory } from "../../../bot/store/memory.ts";
import { balances, history, memberOf, standings } from "../../../bot/store/queries.ts";
import { raiseTerm } from "../../../bot/store/leader-term.ts";
import { verifyChain } from "../../../bot/store/verify-chain.ts";
import type { Request } from "../../../bot/store/request.ts";
import type { PostgresServer } from "../../postgres/server.ts";
import { startPostgres } from "../../postgres/server.ts";
import { account, claimed, migratedDatabase, officer, replicaOn } from "./guild.ts";

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

/** An award to accounts by number, in hundredths. */
function award(amount: bigint, numbers: number[], atMs = Date.now()): Request {
  const reason = freeText("boss kill");
  return {
    atMs,
    actor: officer,
    command: ({ member }) => ({
      type: "award",
      amount,
      members: numbers.map((number) => member(account(number))),
      reason,
      confirmed: true,
    }),
  };
}

describe("the guild's ledger", () => {
  test("registers members with their first award and tells balances, standings and history", async () => {
    const { database } = await migratedDatabase(server);
    const ledger = await replicaOn(database);
    const given = await ledger.execute(award(10_000n, [1, 2]));
    expect(given.decision).toMatchObject({ outcome: { kind: "awarded", amount: 10_000n } });
    await ledger.execute(award(5_000n, [2]));
    const member = await memberOf(database, account(2).discordId);
    expect(await balances(database, member ?? "m0")).toEqual([{ pool: "dkp", amount: 15_000n, held: 0n }]);
    expect(await standings(database, { pool: "dkp", limit: 10 })).toMatchObject([
      { amount: 15_000n, discordId: account(2).discordId, name: "Player 2" },
      { amount: 10_000n, discordId: account(1).discordId },
    ]);
    expect(await history(database, member ?? "m0", { limit: 5 })).toMatchObject([
      { kind: "PointsAwarded", amount: 5_000n, balance: 15_000n, text: "boss kill" },
      { kind: "PointsAwarded", amount: 10_000n, balance: 10_000n },
    ]);
    expect(await verifyChain(database)).toMatchObject({
      events: ledger.state().version,
      brokenAt: undefined,
    });
    await database.close();
  });

  test("carries an auction from its start to its undo", async () => {
    const { database } = await migratedDatabase(server);
    const ledger = await replicaOn(database);
    await ledger.execute(award(10_000n, [1, 2]));
    const item = freeText("Sword");
    const atMs = Date.now();
    const started = await ledger.execute({
      atMs,
      actor: officer,
      command: { type: "startAuction", item, durationMs: 60_000 },
      render: (_decision, view) => [
        { kind: "post", channelId: "1", body: { content: view.item("a1") ?? "" } },
      ],
    });
    expect(started.outgoing).toMatchObject([{ call: { body: { content: "Sword" } } }]);
    const bid = (number: number, amount: bigint, afterMs: number): Request => ({
      atMs: atMs + afterMs,
      actor: account(number),
      command: ({ member }) => ({
        type: "placeBid",
        auction: "a1",
        member: member(account(number)),
        amount,
        bid: `${1_000_000 + afterMs}`,
        bidAtMs: atMs + afterMs,
      }),
    });
    await ledger.execute(bid(1, 3_000n, 1_000));
    await ledger.execute(bid(2, 5_000n, 2_000));
    expect(await openAuctions(database)).toMatchObject([
      { auction: "a1", item: "Sword", leadingAmount: 5_000n, bidCount: 2 },
    ]);
    const close = { type: "closeAuction", auction: "a1", by: "due" } as const;
    const early = await ledger.execute({ atMs: atMs + 62_000, actor: "leader", command: close });
    expect(early.decision).toMatchObject({ refusal: { code: "AUCTION_NOT_DUE" } });
    const term = await raiseTerm(database, "pod-1");
    const settled = await ledger.execute({ atMs: atMs + 63_000, actor: "leader", command: close, term });
    expect(settled.decision).toMatchObject({ outcome: { winner: { amount: 5_000n, balance: 5_000n } } });
    expect(await auction(database, "a1")).toMatchObject({ status: "settled", item: "Sword" });
    const [last] = await undoableEntries(database, { limit: 1 });
    expect(last).toMatchObject({ event: { type: "AuctionSettled" }, text: "Sword" });
    const undo = { type: "undo", entry: last?.event.seq ?? 0 } as const;
    const preview = await ledger.preview({ command: undo, atMs, actor: officer });
    expect(preview.decision).toMatchObject({ outcome: { changes: [{ amount: 5_000n, balance: 10_000n }] } });
    const undone = await ledger.execute({ command: undo, atMs, actor: officer });
    expect(undone.decision).toEqual(preview.decision);
    expect(await auction(database, "a1")).toMatchObject({ status: "undone" });
    const again = await ledger.execute({ command: undo, atMs, actor: officer });
    expect(again.decision).toMatchObject({ refusal: { code: "ALREADY_UNDONE" } });
    expect(await entry(database, undo.entry)).toMatchObject({ event: { term: term.toString() } });
    await database.close();
  });

  test("answers an interaction once: the second time with the first answer", async () => {
    const { database } = await migratedDatabase(server);
    const ledger = await replicaOn(database);
    const interaction = await claimed(database, ledger.replica, "900000000000000001");
    const request: Request = { ...award(100n, [1]), interaction };
    const first = await ledger.execute(request);
    const second = await ledger.execute(request);
    expect(first.repeated).toBe(false);
    expect(second).toMatchObject({ repeated: true, version: first.version });
    expect("outcome" in second.decision && second.decision.outcome).toEqual(
      "outcome" in first.decision && first.decision.outcome,
    );
    const twice = { ...request, interaction: await claimed(database, ledger.replica, "900000000000000002") };
    const both = await Promise.all([ledger.execute(twice), ledger.execute(twice)]);
    expect(both.map(({ repeated }) => repeated)).toEqual([false, true]);
    expect(await standings(database, { pool: "dkp", limit: 5 })).toMatchObject([{ amount: 200n }]);
    await database.close();
  });

  test("writes nothing for a refusal but its answer", async () => {
    const { database } = await migratedDatabase(server);
    const ledger = await replicaOn(database);
    const before = ledger.state().version;
    const interaction = await claimed(database, ledger.replica, "900000000000000003");
    const refused = await ledger.execute({ ...award(50n, [1]), interaction, render: () => [] });
    expect(refused.decision).toMatchObject({ refusal: { code: "AMOUNT_TOO_PRECISE" } });
    expect(ledger.state().version).toBe(before);
    expect(await memberOf(database, account(1).discordId)).toBeUndefined();
    await database.close();
  });

  test("is read a page at a time, keeping no event: it may be larger than the process's memory", async () => {
    const { database } = await migratedDatabase(server);
    const ledger = await replicaOn(database);
    await Promise.all(Array.from({ length: 2_500 }, () => ledger.execute(award(100n, [1]))));
    const { version, headHash } = ledger.state();
    const memory = emptyMemory();
    const readBeforeTold = new Set<number>();
    const told: number[] = [];
    await catchUp(database.pool, memory, ({ seq }) => {
      told.push(seq);
      readBeforeTold.add(memory.state.version);
    });
    expect(told).toEqual(Array.from({ length: version }, (_, index) => index + 1));
    expect([...readBeforeTold]).toEqual([2_000, version]);
    expect(memory.state.headHash).toBe(headHash);
    await database.close();
  });

  test("lets a job of an old term write nothing", async () => {
    const { database } = await migratedDatabase(server);
    const ledger = await replicaOn(database);
    const old = await raiseTerm(database, "pod-1");
    await raiseTerm(database, "pod-2");
    const command = { type: "setMode", mode: "readOnly" } as const;
    await expect(ledger.execute({ atMs: 1, actor: "leader", command, term: old })).rejects.toThrow("term");
    expect(ledger.state().mode.mode).toBe("active");
    await database.close();
  });
});
