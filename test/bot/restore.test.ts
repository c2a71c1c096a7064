import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Member } from "../discord/driver.ts";
import { house, until, type House, type Replica } from "./house.ts";

let home: House;
let folder: string;
let config: string;
let replicas: Replica[] = [];
const rules = "rules: {auctions: {durationSeconds: 10}}\n";
const target = "2026-11-20T20:00:00Z";

beforeAll(async () => {
  home = await house();
  folder = mkdtempSync(join(tmpdir(), "dkp-restore-"));
  config = join(folder, "config.yaml");
});

afterAll(async () => {
  expect(await home.discord.violations()).toEqual([]);
  await home.close();
  rmSync(folder, { recursive: true, force: true });
});

async function answer(member: Member, command: string, options = {}): Promise<string> {
  const reply = await (await home.discord.as(member).command(command, options)).reply();
  return `${reply.content}${reply.embeds[0]?.description ?? ""}`;
}

async function connected(sessions: number): Promise<void> {
  await until(
    async () => (await home.discord.sessions()).filter((session) => session.connected).length === sessions,
  );
}

async function count(type: string): Promise<number> {
  return (await home.events()).filter((found) => found === type).length;
}

describe("a bot whose database was restored", () => {
  test("takes no change before the restore is even noted: the abandoned ledger is left as it was", async () => {
    writeFileSync(config, rules);
    const before = await home.replica({ CONFIG_FILE: config });
    await home.registered();
    await until(async () => (await count("RulesChanged")) === 1);
    await answer(home.manager, "dkp award", { amount: "50", member: home.manager });
    await answer(home.manager, "auction start", { item: "Sword" });
    await before.stop();
    // Its host is 127.0.0.1: connected to the Cluster that was restored from, by its name.
    writeFileSync(config, `${rules}restore: {id: uid-1, from: "127", target: "${target}"}\n`);
    const abandoned = await home.replica({ CONFIG_FILE: config });
    await connected(1);
    const events = await home.events();
    expect(await answer(home.manager, "dkp award", { amount: "5", member: home.manager })).toContain(
      "an officer has looked",
    );
    expect(await answer(home.manager, "dkp-admin confirm-restore")).toContain("being noted");
    expect(await home.events()).toEqual(events);
    await abandoned.stop();
  });

  test("notes the restore once, whichever replica leads, and again not after a restart", async () => {
    writeFileSync(
      config,
      `${rules}restore: {id: uid-1, from: night-watch-db, target: "${target}", head: {version: 9, hash: ${"ab".repeat(32)}}}\n`,
    );
    replicas = [await home.replica({ CONFIG_FILE: config }), await home.replica({ CONFIG_FILE: config })];
    await until(async () => (await count("LedgerRestored")) === 1);
    await connected(2);
    await replicas[0]?.stop();
    await until(() => replicas[1]?.logs.some(({ msg }) => msg === "leading under a new term") ?? false);
    replicas.push(await home.replica({ CONFIG_FILE: config }));
    await connected(2);
    expect(await count("LedgerRestored")).toBe(1);
    const [row] = await home.rows<{ body: string }>("select body from event where type = 'LedgerRestored'");
    expect(JSON.parse(row?.body ?? "")).toMatchObject({
      actor: "git",
      data: { restore: "uid-1", from: "night-watch-db", target, head: { version: 9 } },
    });
  });

  test("tells members why nothing can be done, and lets officers look", async () => {
    const [player] = home.players;
    const told = await answer(player ?? home.manager, "dkp balance");
    expect(told).toContain(`<t:${Date.parse(target) / 1000}:R>`);
    expect(told).toContain("/dkp-admin confirm-restore");
    expect(await answer(home.manager, "dkp balance")).toContain("50 dkp");
    expect(await answer(home.manager, "dkp-admin config show")).toContain("confirm-restore");
    expect(await answer(home.manager, "dkp award", { amount: "5", member: home.manager })).toContain(
      "Nothing can be changed",
    );
  });

  test("settles no auction before an officer confirms, and then the overdue ones", async () => {
    // As if the backup were old: the auction's end is long over by the ledger's own clock.
    await until(async () => {
      const [row] = await home.rows<{ over: boolean }>(
        "select ends_at + interval '3 seconds' < now() as over from auction",
      );
      return row?.over === true;
    });
    const head = await home.rows("select version, xmin from stream");
    expect(await count("AuctionSettled")).toBe(0);
    expect(await home.rows("select version, xmin from stream")).toEqual(head);
    expect(await answer(home.manager, "dkp-admin confirm-restore")).toContain("Changes are possible again");
    await until(async () => (await count("AuctionSettled")) === 1);
    expect(await answer(home.manager, "dkp-admin confirm-restore")).toContain("no restore to confirm");
    expect(await count("RestoreConfirmed")).toBe(1);
    expect(await answer(home.manager, "dkp award", { amount: "5", member: home.manager })).toContain(
      "+5 dkp",
    );
  });
});
