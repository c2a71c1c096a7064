import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { runCli } from "../../bot/cli.ts";
import { keepRegistered } from "../../bot/jobs/registration.ts";
import { REST, Routes } from "../../bot/discord/discord-js.ts";
import type { Registration } from "../../bot/discord/registration.ts";
import { logger } from "../../runtime/log.ts";
import type { Application, Fault, Guild } from "../discord/driver.ts";
import { startDiscord, type DiscordStandIn } from "../discord/stand-in.ts";
import { until } from "./house.ts";

let discord: DiscordStandIn;
let application: Application;
let guild: Guild;
let folder: string;

beforeAll(async () => {
  discord = await startDiscord();
  folder = await mkdtemp(join(tmpdir(), "setup-"));
});

beforeEach(async () => {
  application = await discord.addApplication({ name: "DKP" });
  guild = await discord.addGuild({ name: "Night Watch", applications: [application] });
});

afterAll(async () => {
  expect(await discord.violations()).toEqual([]);
  await discord.close();
  await rm(folder, { recursive: true });
});

/** `setup` as the operator's Job runs it: the token is a file. */
async function setup(
  more: Record<string, string> = {},
  flags = ["--best-effort"],
): Promise<{ code: number; output: string }> {
  const file = join(folder, "token");
  await writeFile(file, application.token);
  const environment = {
    DISCORD_TOKEN_FILE: file,
    DISCORD_GUILD_ID: guild.id,
    DISCORD_API_URL: discord.apiUrl,
    ...more,
  };
  let output = "";
  const code = await runCli(["setup", ...flags], environment, (text) => (output += text));
  return { code, output };
}

const registered = async () =>
  (await discord.commands(application, guild)).map(({ name }) => name).toSorted();
const ours = ["auction", "dkp", "dkp-admin"];

async function fault(given: Fault): Promise<Record<string, string>> {
  await discord.chaos.fault(given);
  return {};
}

describe("setup before a version serves", () => {
  test("registers the commands, and writes nothing the second time", async () => {
    const first = await setup();
    expect(first).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^ok: .* 3 commands .* registered\.\n$/),
    });
    expect(await registered()).toEqual(ours);
    expect(await setup()).toMatchObject({ code: 0, output: expect.stringMatching(/registered already/) });
  });

  const away: [string, () => Promise<Record<string, string>>, RegExp][] = [
    [
      "there is no token yet",
      () => Promise.resolve({ DISCORD_TOKEN_FILE: "/nonexistent/token" }),
      /no bot token/,
    ],
    [
      "Discord refuses the token",
      async () => {
        const old = application.token;
        await discord.resetToken(application);
        const file = join(folder, "old");
        await writeFile(file, old);
        return { DISCORD_TOKEN_FILE: file };
      },
      /refused the bot token/,
    ],
    [
      "nobody listens",
      () => Promise.resolve({ DISCORD_API_URL: "http://127.0.0.1:1/api" }),
      /does not answer/,
    ],
    ["Discord breaks connections off", () => fault({ kind: "drop" }), /does not answer/],
    ["Discord has an outage", () => fault({ kind: "status", status: 503 }), /does not answer/],
    [
      "Discord has an outage of its commands",
      () => fault({ kind: "status", status: 500, method: "PUT" }),
      /does not answer/,
    ],
    [
      "Discord limits the rate for an hour",
      () => fault({ kind: "rateLimit", retryAfterMs: 3_600_000 }),
      /rate limit/,
    ],
    [
      "Discord takes no more new commands today",
      () => fault({ kind: "status", status: 400, code: 30_034, method: "PUT" }),
      /refused.*30034/,
    ],
    [
      "the bot is not in the guild",
      () => discord.kick(guild, application).then(() => ({})),
      /not a member of guild/,
    ],
  ];

  test.each(away)("is put off while %s: one sentence, without the token", async (_, arrange, sentence) => {
    const { token } = application;
    const { code, output } = await setup(await arrange());
    await discord.chaos.calm();
    expect({ code, lines: output.split("\n").length }).toEqual({ code: 0, lines: 2 });
    expect(output).toMatch(/^put off, for the bot registers the commands itself as it starts: /);
    expect(output).toMatch(sentence);
    expect(output).not.toContain(token);
  });

  test("is a failure where it is asked for as such", async () => {
    expect(await setup({ DISCORD_API_URL: "http://127.0.0.1:1/api" }, [])).toMatchObject({
      code: 1,
      output: expect.stringMatching(/^FAILED Discord does not answer/),
    });
  });

  test("fails where Discord finds fault with the commands themselves, which a later attempt would not mend", async () => {
    await fault({ kind: "status", status: 400, code: 50_035, method: "PUT" });
    expect(await setup()).toMatchObject({
      code: 1,
      output: expect.stringMatching(/^FAILED Discord refused/),
    });
    await discord.chaos.calm();
    expect(await registered()).toEqual([]);
  });
});

describe("a leader", () => {
  const other = [{ type: 1, name: "raid", description: "A command of another version" }];

  test("takes back what the setup of a version that never served registered, and stays content while it cannot look", async () => {
    const rest = new REST({ api: discord.apiUrl, retries: 0 }).setToken(application.token);
    const told: Registration[] = [];
    const ending = new AbortController();
    const keeping = keepRegistered({
      guildId: guild.id,
      rest: () => rest,
      applicationId: () => application.id,
      session: () => 1,
      onRegistration: (registration) => told.push(registration),
      signal: ending.signal,
      log: logger({ level: "fatal", format: "json", name: "test" }),
      lookAgainMs: 5,
      refreshMs: 20,
    });
    await until(async () => (await registered()).length === 3);
    await discord.chaos.fault({ kind: "status", status: 503, method: "GET", times: 3 });
    await rest.put(Routes.applicationGuildCommands(application.id, guild.id), { body: other });
    await until(async () => (await registered()).join() === ours.join());
    ending.abort();
    await keeping;
    expect(told.map(({ state }) => state)).toEqual(["Registered", "Registered"]);
    const writes = await discord.journal({ method: "PUT" });
    expect(writes.filter(({ applicationId }) => applicationId === application.id)).toHaveLength(3);
  });
});
