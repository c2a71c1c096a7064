import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { house, until, type House, type Replica } from "../house.ts";

let home: House;
let folder: string;

beforeEach(async () => {
  home = await house();
  folder = mkdtempSync(join(tmpdir(), "dkp-config-"));
});

afterEach(async () => {
  expect(await home.discord.violations()).toEqual([]);
  await home.close();
  rmSync(folder, { recursive: true, force: true });
});

let generation = 0;

/** Writes the config as kubelet does: a new directory, and a symbolic link that is swapped to it. */
function mount(yaml: string): string {
  generation += 1;
  mkdirSync(join(folder, `..${generation}`));
  writeFileSync(join(folder, `..${generation}`, "config.yaml"), yaml);
  symlinkSync(`..${generation}`, join(folder, "..data_tmp"));
  renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
  const path = join(folder, "config.yaml");
  if (generation === 1) {
    symlinkSync("..data/config.yaml", path);
  }
  return path;
}

function said(replica: Replica, message: string): boolean {
  return replica.logs.some(({ msg }) => msg === message);
}

describe("what Git sets", () => {
  beforeEach(() => {
    generation = 0;
  });

  test("takes effect at once when the mounted file is swapped, and is read-only in Discord", async () => {
    const path = mount("rules: {auctions: {minimumBid: 25}}\n");
    const replica = await home.replica({ CONFIG_FILE: path });
    await home.registered();
    await until(() => said(replica, "what Git sets is in force"));
    const show = async () => {
      const shown = await (await home.discord.as(home.manager).command("dkp-admin config show")).reply();
      return shown.embeds[0]?.description ?? "";
    };
    expect(await show()).toContain("`auctions.minimumBid`: 25 — Git");
    const set = await home.discord
      .as(home.manager)
      .command("dkp-admin config set", { setting: "auctions.minimumBid", value: "5" });
    expect((await set.reply()).content).toContain("`auctions.minimumBid` is set in Git");

    mount("rules: {auctions: {minimumBid: 30}}\nmode: readOnly\n");
    await until(async () => (await show()).includes("`auctions.minimumBid`: 30 — Git"));
    const award = await home.discord
      .as(home.manager)
      .command("dkp award", { amount: "5", member: home.manager });
    expect((await award.reply()).content).toContain("read-only");
    expect((await (await home.discord.as(home.manager).command("dkp balance")).reply()).content).toContain(
      "0 dkp",
    );

    mount("mode: maintenance\nmaintenance: {message: Moving *house*}\n");
    await until(async () => (await show()).includes("Mode: maintenance"));
    const balance = await home.discord.as(home.manager).command("dkp balance");
    expect((await balance.reply()).content).toContain(String.raw`in maintenance: Moving \*house\*`);
  });

  test("tells the channel that it names once when maintenance begins and once when it ends", async () => {
    const [general] = home.guild.channels;
    const posts = async () => (await home.discord.messages(general?.id ?? "")).map(({ content }) => content);
    const path = mount(`mode: maintenance\nmaintenance: {message: Moving, channel: "${general?.id}"}\n`);
    const first = await home.replica({ CONFIG_FILE: path });
    await until(async () => (await posts()).length === 1);
    expect(await posts()).toEqual(["Maintenance begins: Moving. Commands have to wait until it is over."]);
    await first.stop();
    const second = await home.replica({ CONFIG_FILE: path });
    await until(() => said(second, "leading under a new term"));
    mount("mode: active\n");
    await until(async () => (await posts()).length === 2);
    expect((await posts()).at(-1)).toBe("Maintenance is over: all commands work again.");
    expect(await home.rows("select 1 from outbox where finished_at is null")).toEqual([]);
  });

  test("goes on when maintenance cannot be announced, and says so", async () => {
    const path = mount('mode: maintenance\nmaintenance: {channel: "123456789012345678"}\n');
    const replica = await home.replica({ CONFIG_FILE: path });
    await until(() => said(replica, "outgoing call given up"));
    expect(replica.logs.find(({ msg }) => msg === "outgoing call given up")).toMatchObject({
      subject: "mode",
      reason: expect.stringContaining("Unknown Channel"),
    });
    await home.registered();
    const balance = await home.discord.as(home.manager).command("dkp balance");
    expect((await balance.reply()).content).toContain("in maintenance");
  });

  test("stays as it was when the new file is not usable", async () => {
    const path = mount("rules: {auctions: {minimumBid: 25}}\n");
    const replica = await home.replica({ CONFIG_FILE: path });
    await until(() => said(replica, "what Git sets is in force"));
    const before = await home.events();
    mount("rules: {auctions: {minimumBid: lots}}\n");
    await until(() => said(replica, "config file is not usable, keeping the last good one"));
    expect(await home.events()).toEqual(before);
  });

  test("is written once, however often the bot starts", async () => {
    const path = mount("rules: {auctions: {minimumBid: 25}}\n");
    const first = await home.replica({ CONFIG_FILE: path });
    await until(() => said(first, "what Git sets is in force"));
    await first.stop();
    const before = await home.events();
    const second = await home.replica({ CONFIG_FILE: path });
    await until(() => said(second, "commands are registered"));
    expect(await home.events()).toEqual(before);
  });
});

describe("leadership without Kubernetes", () => {
  test("is held by one replica, goes to the other when that one ends, and raises the term", async () => {
    const first = await home.replica({ POD_NAME: "one" });
    await until(() => said(first, "leading under a new term"));
    expect(said(first, "detected standalone environment")).toBe(true);
    const second = await home.replica({ POD_NAME: "two" });
    expect(said(second, "leading under a new term")).toBe(false);
    await first.stop();
    await until(() => said(second, "leading under a new term"));
    expect(second.logs.find(({ msg }) => msg === "leading under a new term")).toMatchObject({ term: "2" });
    const leading = await (await fetch(`http://127.0.0.1:${second.port}/metrics`)).text();
    expect(leading).toMatch(/leader_election_master_status\{[^}]*\} 1/);
  });

  test("lost with the database's connection stops the jobs, never the process", async () => {
    const replica = await home.replica();
    await until(() => said(replica, "leading under a new term"));
    await home.rows(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    );
    await until(() => said(replica, "lost leadership, jobs stopped"));
    await until(() => replica.logs.filter(({ msg }) => msg === "leading under a new term").length === 2);
  });
});

describe("an orderly end", () => {
  test("finishes what is in hand and leaves every connection closed", async () => {
    const replica = await home.replica();
    await home.registered();
    await home.discord.chaos.fault({ kind: "latency", path: "/callback$", minMs: 400, maxMs: 500 });
    const award = await home.discord
      .as(home.manager)
      .command("dkp award", { amount: "5", member: home.manager });
    await until(async () => (await home.rows("select 1 from inbox")).length > 0);
    await replica.stop();
    expect((await award.record()).state).toBe("answered");
    const steps = replica.logs.filter(({ msg }) => msg === "shutdown step done").map(({ step }) => step);
    expect(steps).toEqual([
      "commands and jobs in hand",
      "leader lock",
      "gateway session",
      "ledger",
      "presence",
      "database pool",
      "health",
    ]);
    expect((await home.discord.sessions()).filter(({ connected }) => connected)).toEqual([]);
    await until(async () => {
      const connections = await home.rows(
        "select 1 from pg_stat_activity where datname = current_database() and usename = 'dkp_bot'",
      );
      return connections.length === 0;
    });
  });
});
