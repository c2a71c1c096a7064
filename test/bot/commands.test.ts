import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { house, type House } from "./house.ts";

let home: House;

beforeAll(async () => {
  home = await house();
  await home.replica();
  await home.registered();
});

afterAll(async () => {
  expect(await home.discord.violations()).toEqual([]);
  await home.close();
});

describe("points", () => {
  test("an award reaches the ledger and its members", async () => {
    const [player] = home.players;
    if (player === undefined) throw new Error("no player");
    const award = await home.discord
      .as(home.manager)
      .command("dkp award", { member: player, amount: "50", reason: "First *kill*" });
    const reply = await award.reply();
    expect(reply.content).toContain("+50 dkp");
    expect(reply.ephemeral).toBe(true);
    const balance = await home.discord.as(player).command("dkp balance");
    expect((await balance.reply()).content).toBe("You have **50 dkp**.");
  });
});
