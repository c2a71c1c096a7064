import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decode } from "../../../bot/ledger/codec.ts";
import type { MemberId } from "../../../bot/ledger/event.ts";
import { evolve } from "../../../bot/ledger/evolve.ts";
import { emptyState, heldBy } from "../../../bot/ledger/state.ts";
import type { Database } from "../../../bot/store/database.ts";
import { standings } from "../../../bot/store/queries.ts";
import type { Executed, Request } from "../../../bot/store/request.ts";
import { verifyChain } from "../../../bot/store/verify-chain.ts";
import type { PostgresServer } from "../../postgres/server.ts";
import { startPostgres } from "../../postgres/server.ts";
import { freeText } from "../../../bot/store/free-text.ts";
import { account, claimed, migratedDatabase, officer, replicaOn } from "./guild.ts";

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

function award(amount: bigint, number: number): Request {
  return {
    atMs: Date.now(),
    actor: officer,
    command: ({ member }) => ({ type: "award", amount, members: [member(account(number))], confirmed: true }),
    render: (decision) => [
      {
        kind: "post",
        channelId: "1",
        body: { content: "outcome" in decision ? decision.outcome.kind : "refused" },
      },
    ],
  };
}

/** Checks that the tables say what a replay of the events says, and that the chain holds. */
async function expectConsistent(database: Database): Promise<number> {
  const report = await verifyChain(database);
  expect(report.brokenAt).toBeUndefined();
  const state = emptyState();
  for (const { body } of await database.kysely.selectFrom("event").select("body").orderBy("seq").execute()) {
    const event = decode(body);
    evolve(state, event, event);
  }
  const rows = await database.kysely
    .selectFrom("balance")
    .select(["member", "pool", "amount", "held"])
    .execute();
  expect(new Map(rows.map(({ member, pool, amount }) => [`${member}/${pool}`, amount]))).toEqual(
    new Map(state.balances.entries()),
  );
  for (const { member, pool, held, amount } of rows) {
    expect(held).toBe(heldBy(state, member as MemberId, pool));
    expect(amount).toBeGreaterThanOrEqual(held);
  }
  const open = await database.kysely.selectFrom("auction").selectAll().where("status", "=", "open").execute();
  expect(open.map(({ auction, leader, leading_amount }) => [auction, leader, leading_amount])).toEqual(
    [...state.auctions.entries()].map(([id, { leader }]) => [
      id,
      leader?.member ?? null,
      leader?.amount ?? null,
    ]),
  );
  return report.events;
}

/** Ends random connections of the bot, as a failing network would, until told to stop. */
function sabotage(everyMs: number): () => Promise<void> {
  const stopping = new AbortController();
  const run = async (): Promise<void> => {
    const admin = new pg.Client({ connectionString: server.adminUrl() });
    await admin.connect();
    while (!stopping.signal.aborted) {
      await admin.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'dkp_bot' order by random() limit 3`,
      );
      await pause(everyMs);
    }
    await admin.end();
  };
  const running = run();
  return async () => {
    stopping.abort();
    await running;
  };
}

describe("replicas on one database", () => {
  test("write every acknowledged append once, while connections are cut under them", async () => {
    const { database, open } = await migratedDatabase(server);
    const databases = [database, open(), open()];
    const replicas = await Promise.all(databases.map(replicaOn));
    const rounds = 60;
    const stop = sabotage(50);
    const results = await Promise.all(
      Array.from({ length: rounds * replicas.length }, async (_, index): Promise<Executed | undefined> => {
        await pause(index * 4);
        return replicas[index % replicas.length]?.execute(award(100n, index % 7));
      }),
    );
    await stop();
    expect(results.every((result) => result !== undefined && "outcome" in result.decision)).toBe(true);
    const awarded = await database.kysely
      .selectFrom("event")
      .select("seq")
      .where("type", "=", "PointsAwarded")
      .execute();
    expect(awarded).toHaveLength(results.length);
    const calls = await database.kysely.selectFrom("outbox").select("id").execute();
    expect(calls).toHaveLength(results.length);
    const told = results.flatMap((result) => result?.outgoing.map(({ id }) => id) ?? []);
    expect(new Set(told).size).toBe(results.length);
    await expectConsistent(database);
    for (const replica of replicas) {
      await replica.catchUp();
    }
    expect(new Set(replicas.map((replica) => replica.state().headHash)).size).toBe(1);
    await Promise.all(databases.map((one) => one.close()));
  });

  test("lose nothing that was acknowledged when the server is killed and comes back", async () => {
    const { database, open } = await migratedDatabase(server);
    const databases = [database, open()];
    const replicas = await Promise.all(databases.map(replicaOn));
    const results = Array.from({ length: 200 }, async (_, index) => {
      await pause(index * 5);
      return replicas[index % 2]?.execute(award(100n, index % 5));
    });
    await pause(300);
    await server.stopHard();
    await pause(300);
    await server.restart();
    const executed = await Promise.all(results);
    expect(executed.every((result) => result !== undefined && "outcome" in result.decision)).toBe(true);
    const awarded = await database.kysely
      .selectFrom("event")
      .select("seq")
      .where("type", "=", "PointsAwarded")
      .execute();
    expect(awarded).toHaveLength(200);
    await expectConsistent(database);
    await Promise.all(databases.map((one) => one.close()));
  });

  test("start over when a failover lost events whose numbers were used again", async () => {
    const { database, names, open } = await migratedDatabase(server);
    const ahead = await replicaOn(database);
    await ahead.execute(award(100n, 1));
    const admin = new pg.Client({ connectionString: server.adminUrl() });
    await admin.connect();
    const disconnected = (name: string) =>
      admin.query("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1", [name]);
    const standby = `${names.name}_standby`;
    await disconnected(names.name);
    await admin.query(`create database ${standby} template ${names.name}`);
    await ahead.execute(award(200n, 1));
    await disconnected(names.name);
    await admin.query(`alter database ${names.name} rename to ${names.name}_lost`);
    await admin.query(`alter database ${standby} rename to ${names.name}`);
    await admin.end();
    const other = await replicaOn(open());
    await other.execute(award(300n, 1));
    expect(other.state().version).toBe(ahead.state().version);
    await ahead.execute(award(500n, 1));
    expect((await standings(database, { pool: "dkp", limit: 1 }))[0]?.amount).toBe(900n);
    await expectConsistent(database);
    await other.catchUp();
    expect(other.state().headHash).toBe(ahead.state().headHash);
  });

  test("answer an interaction that both execute once", async () => {
    const { database, open } = await migratedDatabase(server);
    const [one, other] = [await replicaOn(database), await replicaOn(open())];
    const interaction = await claimed(database, one.replica, "900000000000000009");
    const takenOver = { ...interaction, epoch: interaction.epoch + 1 };
    await database.kysely.updateTable("inbox").set({ epoch: 2, owner: other.replica }).execute();
    const late = one.execute({ ...award(100n, 1), interaction });
    await expect(late).rejects.toMatchObject({ name: "ClaimLost" });
    const answered = await other.execute({ ...award(100n, 1), interaction: takenOver });
    expect(answered.repeated).toBe(false);
    // Once it is answered, the late one hears the answer.
    const again = await one.execute({ ...award(100n, 1), interaction });
    expect(again).toMatchObject({ repeated: true, version: answered.version });
    await expectConsistent(database);
  });

  test("take 500 bids at once without overspending", async () => {
    const { database, open } = await migratedDatabase(server);
    const replicas = await Promise.all([database, open(), open()].map(replicaOn));
    const [first] = replicas;
    const bidders = 50;
    const everyone = Array.from({ length: bidders }, (_, index) => account(index));
    await first?.execute({
      atMs: Date.now(),
      actor: officer,
      command: ({ member }) => ({ type: "award", amount: 30_000n, members: everyone.map(member) }),
    });
    const atMs = Date.now();
    for (const name of ["Sword", "Shield"]) {
      const item = freeText(name);
      await first?.execute({ atMs, actor: officer, command: { type: "startAuction", item } });
    }
    const results = await Promise.all(
      Array.from({ length: 500 }, async (_, index) =>
        replicas[index % 3]?.execute({
          atMs,
          actor: account(index % bidders),
          command: ({ member }) => ({
            type: "placeBid",
            auction: index % 2 === 0 ? "a1" : "a2",
            member: member(account(index % bidders)),
            amount: BigInt(1 + ((index * 7_919) % 299)) * 100n,
            bid: String(1_000_000 + index),
            bidAtMs: atMs + index,
          }),
        }),
      ),
    );
    const placed = results.filter((result) => result !== undefined && "outcome" in result.decision).length;
    const bids = await database.kysely.selectFrom("bid").select("seq").execute();
    expect(bids).toHaveLength(placed);
    expect(placed).toBeGreaterThan(0);
    const codes = new Set(
      results.map((result) => (result && "refusal" in result.decision ? result.decision.refusal.code : "ok")),
    );
    expect([...codes].every((code) => ["ok", "BID_TOO_LOW", "INSUFFICIENT_POINTS"].includes(code))).toBe(
      true,
    );
    await expectConsistent(database);
  });
});
