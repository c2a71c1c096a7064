import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Interaction, Member } from "../../discord/driver.ts";
import { house, until, type House, type Replica } from "../house.ts";

let home: House;
let replica: Replica;

beforeAll(async () => {
  home = await house();
  replica = await home.replica();
  await home.registered();
});

afterEach(async () => {
  await home.discord.chaos.calm();
});

afterAll(async () => {
  expect(await home.discord.violations()).toEqual([]);
  await home.close();
});

let amount = 0;

/** An award that was never given before, so that nothing asks whether it is meant. */
async function award(sentAtMs?: number): Promise<Interaction & { points: string }> {
  amount += 1;
  const [player] = home.players;
  const options = { amount: String(amount), member: player as Member };
  const where = sentAtMs === undefined ? {} : { sentAtMs };
  const interaction = await home.discord.as(home.manager).command("dkp award", options, where);
  return Object.assign(interaction, { points: `+${amount} dkp` });
}

async function eventsOf(interaction: Interaction): Promise<string[]> {
  const rows = await home.rows<{ type: string }>(
    "select type from event where interaction_id = $1 and type = 'PointsAwarded'",
    [interaction.id],
  );
  return rows.map(({ type }) => type);
}

/** The interaction is answered as it should be, and the ledger has it once. */
async function expectAnswered(interaction: Interaction & { points: string }): Promise<void> {
  const reply = await interaction.reply();
  expect(reply.content.replaceAll("**", "")).toContain(interaction.points);
  expect(reply.ephemeral).toBe(true);
  expect(await eventsOf(interaction)).toEqual(["PointsAwarded"]);
  expect((await interaction.record()).followups).toEqual([]);
}

describe("an answer arrives once", () => {
  test("directly, when all is well", async () => {
    const interaction = await award();
    await expectAnswered(interaction);
    expect(await interaction.record()).toMatchObject({ callback: 4, refusedCallbacks: [] });
  });

  test.each([
    ["takes it and loses the connection", { kind: "drop", afterEffect: true } as const],
    ["takes it and answers 500", { kind: "status", status: 500, afterEffect: true } as const],
    ["loses the connection", { kind: "drop" } as const],
    ["answers 503", { kind: "status", status: 503 } as const],
    ["asks to wait", { kind: "rateLimit", retryAfterMs: 300 } as const],
  ])("although Discord %s", async (_, fault) => {
    await home.discord.chaos.fault({ ...fault, method: "POST", path: "/callback$", times: 1 });
    await expectAnswered(await award());
  });

  test("by an edit, when making it took so long that it had to be announced", async () => {
    const interaction = await award(Date.now() - 2500);
    await expectAnswered(interaction);
    expect((await interaction.record()).callback).toBe(5);
  });

  test("from the outbox, when Discord takes no edits for a while", async () => {
    await home.discord.chaos.fault({
      kind: "status",
      status: 500,
      method: "PATCH",
      path: "@original",
      times: 11,
    });
    const interaction = await award(Date.now() - 2500);
    await expectAnswered(interaction);
  });
});

describe("a slow database", () => {
  test("does not fail a command: an answer is announced, and follows when the database is back", async () => {
    const client = new pg.Client({ connectionString: home.postgres.adminUrl(home.database.name) });
    await client.connect();
    await client.query("begin; lock table inbox in access exclusive mode");
    const interactions = [await award(), await award(), await award()];
    await Promise.all(
      interactions.map((interaction) => interaction.until(({ state }) => state === "deferred")),
    );
    await pause(1500);
    await client.query("commit");
    await client.end();
    for (const interaction of interactions) {
      await expectAnswered(interaction);
    }
  });
});

describe("what is announced", () => {
  test("in a channel where the bot may not write is answered all the same", async () => {
    const channel = await home.discord.addChannel(home.guild, { name: "silent" });
    await home.discord.setOverwrites(channel, [
      { target: home.guild.id, type: "role", deny: 1n << 11n },
      { target: home.application.id, type: "member", deny: 1n << 11n },
    ]);
    amount += 1;
    const interaction = await home.discord
      .as(home.manager)
      .command("dkp award", { amount: String(amount), member: home.players[0] as Member }, { channel });
    await interaction.reply();
    await until(async () => {
      const rows = await home.rows<{ abandoned: string }>(
        "select abandoned from outbox where abandoned is not null and abandoned <> 'superseded'",
      );
      return rows.some(({ abandoned }) => /50013|50001/.test(abandoned));
    });
  });
});

test("an interaction of a shape that nobody foresaw ends nothing and holds up nothing", async () => {
  const [other] = await home.rows<{ payload: string }>("select payload from inbox limit 1");
  const strange = JSON.stringify({
    ...JSON.parse(other?.payload ?? ""),
    id: "900000000000000099",
    data: null,
  });
  await home.rows(
    `insert into inbox (interaction_id, owner, payload, token, received_at, claimed_at)
     values ('900000000000000099', 1, $1, 'unreadable-interaction-token', now(), now() - interval '1 minute')`,
    [strange],
  );
  await until(() => replica.logs.some(({ msg }) => /could not be read/.test(msg)));
  expect(replica.logs.some(({ msg }) => /does not answer/.test(msg))).toBe(false);
  await expectAnswered(await award());
});

test("no token of an interaction or a bot is ever logged", async () => {
  await (await award()).reply();
  const tokens = await home.rows<{ token: string }>("select token from inbox");
  const logged = JSON.stringify(replica.logs);
  expect(tokens.length).toBeGreaterThan(0);
  for (const { token } of tokens) {
    expect(logged).not.toContain(token);
  }
  expect(logged).not.toContain(home.application.token);
});
