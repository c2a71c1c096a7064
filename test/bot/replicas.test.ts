import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Interaction, InteractionRecord, Member } from "../discord/driver.ts";
import { house, until, type House, type ReplicaProcess } from "./house.ts";

let home: House;
let replicas: ReplicaProcess[];

beforeAll(async () => {
  home = await house({ players: 20, discord: { rateLimits: false } });
  replicas = await Promise.all([1, 2, 3].map((number) => home.process({ POD_NAME: `bot-${number}` })));
  await home.registered();
  await everybodyConnected();
  await openHouse();
});

afterAll(async () => {
  expect(await home.discord.violations()).toEqual([]);
  await home.close();
});

async function everybodyConnected(): Promise<void> {
  await until(
    async () =>
      (await home.discord.sessions()).filter(({ connected }) => connected).length === replicas.length,
  );
}

/** Lets one replica alone take what `work` sends, and kills it then; the others go on. */
async function killedAfter(work: () => Promise<Interaction>): Promise<Interaction> {
  if (replicas.length < 2) {
    replicas.push(await home.process({ POD_NAME: "another" }));
    await everybodyConnected();
  }
  const [owner, ...others] = replicas;
  await Promise.all(others.map((other) => other.kill("SIGSTOP")));
  const interaction = await work();
  await owner?.kill("SIGKILL");
  replicas = others;
  await Promise.all(others.map((other) => other.kill("SIGCONT")));
  return interaction;
}

function award(amount: string): Promise<Interaction> {
  const member = home.players[0] as Member;
  return home.discord.as(home.manager).command("dkp award", { amount, member });
}

type Sent = { interaction: Interaction; kind: "award" | "bid" | "balance"; sentAtMs: number };

const auctions = ["a1", "a2", "a3", "a4"];

/** Points for everybody and auctions to spend them on. */
async function openHouse(): Promise<void> {
  const all = home.players.map(({ id }) => `<@${id}>`).join(" ");
  const award = await home.discord.as(home.manager).command("dkp award", { amount: "1000000", members: all });
  await award.reply();
  for (const item of auctions) {
    const start = await home.discord.as(home.manager).command("auction start", { item });
    await start.reply();
  }
}

/** Sends commands of all kinds at a steady rate, whatever becomes of them. */
async function load(perSecond: number, seconds: number, from: number): Promise<Sent[]> {
  const sent: Sent[] = [];
  const startedAtMs = performance.now();
  for (let count = 0; count < perSecond * seconds; count += 1) {
    await pause(Math.max(0, startedAtMs + (count * 1000) / perSecond - performance.now()));
    sent.push(await one(from + count));
  }
  return sent;
}

async function one(count: number): Promise<Sent> {
  const member = home.players[count % home.players.length] as Member;
  const sentAtMs = performance.now();
  if (count % 25 === 0) {
    const options = { amount: String(count + 1), member };
    return {
      interaction: await home.discord.as(home.manager).command("dkp award", options),
      kind: "award",
      sentAtMs,
    };
  }
  if (count % 3 === 0) {
    return { interaction: await home.discord.as(member).command("dkp balance"), kind: "balance", sentAtMs };
  }
  const options = { auction: auctions[count % auctions.length] ?? "a1", amount: String(10 + count) };
  return {
    interaction: await home.discord.as(member).command("auction bid", options),
    kind: "bid",
    sentAtMs,
  };
}

async function settled(sent: Sent[]): Promise<(Sent & { record: InteractionRecord })[]> {
  return Promise.all(
    sent.map(async (command) => ({
      ...command,
      record: await command.interaction.until(over, { timeoutMs: 60_000 }),
    })),
  );
}

function over({ state }: InteractionRecord): boolean {
  return state === "answered" || state === "failed";
}

/** What the ledger holds by interaction. */
async function written(): Promise<Map<string, string[]>> {
  const rows = await home.rows<{ interaction_id: string; types: string[] }>(
    `select interaction_id, array_agg(type order by seq) as types from event
     where interaction_id is not null group by interaction_id`,
  );
  return new Map(rows.map((row) => [row.interaction_id, row.types]));
}

/** Every answer is what the ledger says, and nothing happened twice. */
async function expectAgreement(commands: (Sent & { record: InteractionRecord })[]): Promise<void> {
  const ledger = await written();
  const wrong = commands.flatMap(({ interaction, kind, record }) => {
    const types = ledger.get(interaction.id) ?? [];
    const text = record.original?.content ?? "";
    const expected =
      record.state === "failed"
        ? types
        : kind === "award"
          ? ["PointsAwarded"]
          : kind === "bid" && !/too low|available:|closed|ended/.test(text)
            ? ["BidPlaced"]
            : [];
    return JSON.stringify(types) === JSON.stringify(expected) ? [] : [{ kind, text, types }];
  });
  expect(wrong).toEqual([]);
  const failed = commands.filter(({ record }) => record.state === "failed");
  for (const { interaction } of failed) {
    expect(ledger.get(interaction.id) ?? []).toEqual([]);
  }
  const twice = await home.rows(
    "select interaction_id from event where type in ('PointsAwarded', 'BidPlaced') group by 1 having count(*) > 1",
  );
  expect(twice).toEqual([]);
}

describe("three replicas", () => {
  test("answer every command once through a restart of the database", async () => {
    const loading = load(40, 6, 0);
    await pause(2000);
    await home.postgres.restart();
    const commands = await settled(await loading);
    await expectAgreement(commands);
    expect(commands.filter(({ record }) => record.state === "failed")).toEqual([]);
  });

  test("answer every command once while one of them is killed", async () => {
    const loading = load(200, 10, 1000);
    await pause(4000);
    await replicas.shift()?.kill("SIGKILL");
    const commands = await settled(await loading);
    await expectAgreement(commands);
    const failed = commands.filter(({ record }) => record.state === "failed");
    expect(failed.length).toBeLessThanOrEqual(2);
    expect(commands.flatMap(({ record }) => record.followups)).toEqual([]);
  });

  test("carry out what a killed replica had claimed and not begun", async () => {
    const client = new pg.Client({ connectionString: home.postgres.adminUrl(home.database.name) });
    await client.connect();
    const left = await killedAfter(async () => {
      await client.query("begin; lock table stream in access exclusive mode");
      const sent = await award("76");
      await until(
        async () => (await home.rows("select 1 from inbox where finished_at is null")).length === 1,
      );
      return sent;
    });
    await left.until(({ state }) => state === "deferred");
    await client.query("commit");
    await client.end();
    expect((await left.reply()).content).toContain("+76 dkp");
    expect((await written()).get(left.id)).toEqual(["PointsAwarded"]);
  });

  test("show the answer that a killed replica had stored and not given", async () => {
    const left = await killedAfter(async () => {
      // Its answer never arrives, so the command stays unanswered until the replica dies.
      await home.discord.chaos.fault({ kind: "drop", method: "POST", path: "/callback$" });
      const sent = await award("77");
      await until(async () => (await written()).has(sent.id));
      return sent;
    });
    await home.discord.chaos.calm();
    expect((await left.reply()).content).toContain("+77 dkp");
    expect((await written()).get(left.id)).toEqual(["PointsAwarded"]);
  });
});
