import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Interaction, Member } from "../discord/driver.ts";
import { house, until, type House, type Replica } from "./house.ts";

let home: House;
let replica: Replica;

beforeAll(async () => {
  home = await house();
  replica = await home.replica({ DATABASE_COMMAND_TIMEOUT: "1" });
  await home.registered();
});

afterAll(async () => {
  expect(await home.discord.violations()).toEqual([]);
  await home.close();
});

let amount = 0;

async function award(): Promise<Interaction & { points: string }> {
  amount += 1;
  const options = { amount: String(amount), member: home.players[0] as Member };
  const interaction = await home.discord.as(home.manager).command("dkp award", options);
  return Object.assign(interaction, { points: `+${amount} dkp` });
}

/** The award is answered as it should be, once, and the ledger has it once. */
async function expectAwarded(interaction: Interaction & { points: string }): Promise<void> {
  const reply = await interaction.reply();
  expect(reply.content.replaceAll("**", "")).toContain(interaction.points);
  expect(reply.versions).toBe(1);
  const rows = await home.rows<{ type: string }>("select type from event where interaction_id = $1", [
    interaction.id,
  ]);
  expect(rows.map(({ type }) => type)).toContain("PointsAwarded");
  expect(rows.filter(({ type }) => type === "PointsAwarded")).toHaveLength(1);
  await until(finished(interaction));
}

function finished({ id }: Interaction): () => Promise<boolean> {
  return async () => {
    const sql = "select 1 from inbox where interaction_id = $1 and finished_at is not null";
    return (await home.rows(sql, [id])).length === 1;
  };
}

function logged(id: string, message: RegExp): number {
  return replica.logs.filter((line) => line["interaction"] === id && message.test(line.msg)).length;
}

/** Keeps every append waiting until it is told to let go. */
async function appendsHeld(): Promise<{ release(): Promise<void> }> {
  const client = new pg.Client({ connectionString: home.postgres.adminUrl(home.database.name) });
  await client.connect();
  await client.query("begin; lock table stream in access exclusive mode");
  return {
    async release() {
      await client.query("commit");
      await client.end();
    },
  };
}

/** Refuses every change of a claim, as a server does that gives up on statements, until it is told to stop. */
async function claimsKept(): Promise<{ release(): Promise<void> }> {
  await home.rows(
    `create function keep() returns trigger language plpgsql
     as $$ begin raise exception 'canceling statement due to statement timeout' using errcode = '57014'; end $$`,
  );
  await home.rows("create trigger keep before update on inbox for each row execute function keep()");
  return {
    async release() {
      await home.rows("drop trigger keep on inbox");
      await home.rows("drop function keep()");
    },
  };
}

describe("a command is answered", () => {
  test("although a failover lost its claim before it was carried out", async () => {
    const appends = await appendsHeld();
    const interaction = await award();
    const deleted = () =>
      home.rows("delete from inbox where interaction_id = $1 returning 1", [interaction.id]);
    await until(async () => (await deleted()).length === 1);
    await interaction.until(({ state }) => state === "deferred");
    await appends.release();
    await expectAwarded(interaction);
    expect(logged(interaction.id, /claim is another/)).toBe(1);
  });

  test("although the database keeps it waiting for longer than any attempt takes", async () => {
    const appends = await appendsHeld();
    const interaction = await award();
    await until(() => logged(interaction.id, /trying again/) > 4);
    await appends.release();
    await expectAwarded(interaction);
  });

  test("although the server falls silent on every connection that is open", async () => {
    const open = await home.rows<{ pid: number }>(
      "select pid from pg_stat_activity where usename = 'dkp_bot'",
    );
    open.forEach(({ pid }) => process.kill(pid, "SIGSTOP"));
    try {
      await expectAwarded(await award());
    } finally {
      open.forEach(({ pid }) => process.kill(pid, "SIGCONT"));
    }
  });

  test("although its replica claimed it without hearing of it", async () => {
    const asked = await home.discord.as(home.players[1] as Member).command("dkp balance");
    const { content } = await asked.reply();
    await until(finished(asked));
    // As if the server had taken this down and the connection had broken before it could say so.
    await home.rows(
      "update inbox set finished_at = null, claimed_at = now() - interval '1 minute' where interaction_id = $1",
      [asked.id],
    );
    await until(finished(asked));
    expect(logged(asked.id, /taking over/)).toBe(1);
    expect(await asked.reply()).toMatchObject({ content, versions: 1 });
  });

  test("with what it asked for, although that cannot be noted for a while", async () => {
    const kept = await claimsKept();
    const asked = await home.discord.as(home.players[2] as Member).command("dkp balance");
    const { content } = await asked.reply();
    await until(() => logged(asked.id, /trying again/) > 4);
    await kept.release();
    await until(finished(asked));
    expect(content).not.toContain("went wrong");
    expect(await asked.reply()).toMatchObject({ content, versions: 1 });
  });

  test("although Discord could not be asked about it when it was taken over", async () => {
    const asked = await home.discord.as(home.players[3] as Member).command("dkp balance");
    await asked.reply();
    await until(finished(asked));
    await home.discord.chaos.fault({
      kind: "status",
      status: 403,
      method: "GET",
      path: "@original",
      times: 1,
    });
    await home.rows(
      "update inbox set finished_at = null, claimed_at = now() - interval '1 minute' where interaction_id = $1",
      [asked.id],
    );
    await until(finished(asked));
    expect(logged(asked.id, /was dropped/)).toBe(1);
    expect(logged(asked.id, /taking over/)).toBe(2);
  });
});
