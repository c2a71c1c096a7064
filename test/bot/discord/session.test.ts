import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { house, until, type House, type Replica } from "../house.ts";

let home: House;
let folder: string;

beforeEach(async () => {
  home = await house();
  folder = mkdtempSync(join(tmpdir(), "dkp-token-"));
});

afterEach(async () => {
  expect(await home.discord.violations()).toEqual([]);
  await home.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The states that a replica told of, oldest first. */
function states({ logs }: Replica): unknown[] {
  return logs.flatMap(({ state, level, msg }) =>
    state !== undefined && msg !== "the database answers" && level !== "error" ? [state] : [],
  );
}

async function probe(replica: Replica, path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${replica.port}${path}`);
  return { status: response.status, text: await response.text() };
}

describe("a token that Discord refuses", () => {
  test("is reported, spends one request, and is left alone until the file changes", async () => {
    const tokenFile = join(folder, "token");
    writeFileSync(tokenFile, "wrong-token\n");
    const replica = await home.replica({ DISCORD_TOKEN_FILE: tokenFile });
    await until(() => states(replica).includes("TokenInvalid"));
    // The bot is up and has said what is wrong: restarting it would mend nothing.
    expect((await probe(replica, "/readyz")).status).toBe(200);
    expect((await probe(replica, "/metrics")).text).toContain("dkp_discord_connected 0");
    await until(async () => (await home.discord.journal()).length >= 1);
    const refused = (await home.discord.journal()).filter(({ status }) => status === 401);
    expect(refused).toHaveLength(1);
    expect(JSON.stringify(replica.logs)).not.toContain("wrong-token");

    writeFileSync(tokenFile, `Bot ${home.application.token}`);
    await until(() => states(replica).at(-1) === "Connected");
    await home.registered();
    const balance = await home.discord.as(home.manager).command("dkp balance");
    expect((await balance.reply()).content).toBe("You have **0 dkp**.");
    expect((await probe(replica, "/metrics")).text).toContain("dkp_discord_connected 1");
  });

  test("because it was reset while the session was up is reported, and replaced by the new one", async () => {
    const tokenFile = join(folder, "token");
    writeFileSync(tokenFile, home.application.token);
    const replica = await home.replica({ DISCORD_TOKEN_FILE: tokenFile });
    await home.registered();
    const { token } = await home.discord.resetToken(home.application);
    await until(() => states(replica).includes("TokenInvalid"));
    writeFileSync(tokenFile, token);
    await until(() => states(replica).at(-1) === "Connected");
  });

  test("is no different when the file is not there yet", async () => {
    const tokenFile = join(folder, "later");
    const replica = await home.replica({ DISCORD_TOKEN_FILE: tokenFile });
    await until(() => states(replica).includes("TokenInvalid"));
    expect(await home.discord.journal()).toEqual([]);
    writeFileSync(tokenFile, home.application.token);
    await until(() => states(replica).at(-1) === "Connected");
  });
});

describe("the session", () => {
  test("is opened only when more than the reserve of session starts is left", async () => {
    await home.discord.chaos.sessionStartLimit(home.application, { remaining: 49, resetAfterMs: 2000 });
    const replica = await home.replica();
    await until(() => states(replica).includes("IdentifyBudget"));
    expect(await home.discord.sessions()).toEqual([]);
    await home.discord.chaos.sessionStartLimit(home.application, { remaining: 50 });
    await until(() => states(replica).at(-1) === "Connected");
  });

  test("says that the bot is not in its guild, and takes it up when it is invited", async () => {
    await home.discord.kick(home.guild, home.application);
    const replica = await home.replica();
    await until(() => states(replica).includes("NotInGuild"));
    await home.discord.invite(home.guild, home.application);
    await until(() => states(replica).at(-1) === "Connected");
    await home.registered();
  });

  test("is resumed after a cut, a reconnect and a zombie, without another IDENTIFY", async () => {
    const replica = await home.replica();
    await home.registered();
    const [first] = await home.discord.sessions();
    expect(replica.logs.some(({ msg }) => msg === "waiting to identify with Discord")).toBe(false);
    await home.discord.chaos.disconnect();
    await until(async () => ((await home.discord.sessions())[0]?.resumes ?? 0) === 1);
    await home.discord.chaos.reconnect();
    await until(async () => ((await home.discord.sessions())[0]?.resumes ?? 0) === 2);
    await until(() => states(replica).at(-1) === "Connected");
    const sessions = await home.discord.sessions();
    expect(sessions.map(({ id }) => id)).toEqual([first?.id]);
    const balance = await home.discord.as(home.manager).command("dkp balance");
    await balance.reply();
  });

  test("is opened anew when Discord forgot it", async () => {
    const replica = await home.replica();
    await home.registered();
    await home.discord.chaos.invalidate();
    await until(
      async () => (await home.discord.sessions()).length > 0 && states(replica).at(-1) === "Connected",
    );
    const balance = await home.discord.as(home.manager).command("dkp balance");
    await balance.reply();
  });
});

describe("commands", () => {
  test("are registered once: a second bot with nothing to change writes nothing", async () => {
    const replica = await home.replica();
    await home.registered();
    await replica.stop();
    const before = (await home.discord.journal({ method: "PUT" })).length;
    const second = await home.replica();
    await until(() => second.logs.some(({ msg }) => msg === "commands are registered"));
    expect((await home.discord.journal({ method: "PUT" })).length).toBe(before);
    expect(second.logs.find(({ msg }) => msg === "commands are registered")).toMatchObject({
      written: false,
    });
  });
});
