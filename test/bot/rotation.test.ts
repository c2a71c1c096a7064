import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { house, until, type House, type Replica } from "./house.ts";

let home: House;
let folder: string;
let replicas: Replica[];

const file = (name: string) => join(folder, name);

beforeAll(async () => {
  home = await house();
  folder = mkdtempSync(join(tmpdir(), "dkp-rotation-"));
  const url = new URL(home.database.botUrl);
  writeFileSync(file("token"), home.application.token);
  writeFileSync(file("password"), url.password);
  writeFileSync(file("url"), `${url.href}?sslmode=disable`);
  const parts = {
    DISCORD_TOKEN_FILE: file("token"),
    DATABASE_URL: "",
    DATABASE_HOST: url.hostname,
    DATABASE_PORT: url.port,
    DATABASE_NAME: home.database.name,
    DATABASE_USER: "dkp_bot",
    DATABASE_PASSWORD_FILE: file("password"),
  };
  replicas = [
    await home.replica(parts),
    await home.replica({
      DISCORD_TOKEN_FILE: file("token"),
      DATABASE_URL: "",
      DATABASE_URL_FILE: file("url"),
    }),
  ];
  await home.registered();
  await until(async () => (await home.discord.sessions()).filter(({ connected }) => connected).length === 2);
});

afterAll(async () => {
  expect(await home.discord.violations()).toEqual([]);
  await home.close();
  rmSync(folder, { recursive: true, force: true });
});

let given = 0;

/** Changes a rule again and again, each time to another value, until told to stop; answers how often. */
function busy(): { stop(): Promise<number> } {
  const ending = new AbortController();
  const first = given;
  const failures: unknown[] = [];
  const done = (async () => {
    while (!ending.signal.aborted) {
      given += 1;
      const value = String(given);
      const change = await home.discord
        .as(home.manager)
        .command("dkp-admin config set", { setting: "auctions.minimumBid", value });
      const reply = await change.reply().catch((error: unknown) => failures.push(error));
      // Large amounts are grouped by thin spaces.
      if (typeof reply === "object" && !reply.content.replaceAll(/(?<=\d)\s(?=\d)/g, "").includes(value)) {
        failures.push(reply.content);
      }
    }
    expect(failures).toEqual([]);
    return given - first;
  })();
  return {
    async stop() {
      ending.abort();
      return done;
    },
  };
}

async function changes(): Promise<number> {
  return (await home.events()).filter((type) => type === "RulesChanged").length;
}

describe("while commands run", () => {
  test("a rotated database password is taken up, and every command is answered once", async () => {
    const before = await changes();
    const commands = busy();
    await until(async () => (await changes()) > before + 5);
    await home.rows("alter role dkp_bot password 'rotated'");
    // Whatever connects before the file has it is refused: sessions are ended so that everybody must connect.
    const ended =
      "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'dkp_bot' and datname = current_database()";
    await home.rows(ended);
    await home.rows(ended);
    writeFileSync(file("password"), "rotated");
    writeFileSync(file("url"), `${home.database.botUrl.replace(/:[^:@]+@/, ":rotated@")}?sslmode=disable`);
    const then = await changes();
    await until(async () => (await changes()) > then + 20, 60_000);
    const done = await commands.stop();
    expect((await changes()) - before).toBe(done);
    expect(await home.rows("select 1 from inbox where finished_at is null")).toEqual([]);
    expect(JSON.stringify(replicas.map(({ logs }) => logs))).not.toContain("rotated@");
  });

  test("a new token opens the new session before the old one is closed, and every command is answered once", async () => {
    const before = await changes();
    const sessions = new Set((await home.discord.sessions()).map(({ id }) => id));
    const commands = busy();
    const { token } = await home.discord.resetToken(home.application, undefined, { keepSessions: true });
    writeFileSync(file("token"), token);
    await until(async () => {
      const now = (await home.discord.sessions()).filter(({ connected }) => connected);
      // Never without a session on the way.
      expect(now.length).toBeGreaterThanOrEqual(2);
      return now.length === 2 && now.every(({ id }) => !sessions.has(id));
    }, 60_000);
    const done = await commands.stop();
    expect((await changes()) - before).toBe(done);
    const told = replicas.flatMap(({ logs }) => logs.filter(({ msg }) => msg === "command"));
    expect(told.every(({ result }) => result === "ok" || result === "refused")).toBe(true);
  });

  test("a token that Discord refuses leaves the session with the one before alone", async () => {
    const before = (await home.discord.sessions()).map(({ id }) => id);
    writeFileSync(file("token"), "not-a-token");
    await until(() => replicas.every(({ logs }) => logs.some(({ state }) => state === "TokenInvalid")));
    const commands = busy();
    const then = await changes();
    await until(async () => (await changes()) > then + 20);
    await commands.stop();
    expect((await home.discord.sessions()).map(({ id }) => id)).toEqual(before);
  });
});
