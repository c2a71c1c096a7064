import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { botEnvironment, botSettings, variableNames } from "../../bot/config.ts";
import { EnvironmentError, parseEnvironment } from "../../runtime/environment.ts";

const enough = {
  DISCORD_TOKEN: "a-token",
  DISCORD_GUILD_ID: "123456789012345678",
  DATABASE_URL: "postgresql://dkp:secret@db:5432/dkp",
};

function faults(environment: Record<string, string>): readonly string[] {
  try {
    parseEnvironment(botEnvironment, environment);
  } catch (error) {
    if (error instanceof EnvironmentError) {
      return error.faults;
    }
    throw error;
  }
  return [];
}

describe("the environment", () => {
  test("a token, a guild and a database are enough", () => {
    const settings = botSettings(parseEnvironment(botEnvironment, enough));
    expect(settings.discord).toMatchObject({
      apiUrl: "https://discord.com/api",
      guildId: "123456789012345678",
      token: { value: "a-token" },
    });
    expect(settings.database).toMatchObject({
      host: "db",
      port: 5432,
      sslMode: "verify-full",
      poolMin: 5,
      poolMax: 20,
      commandTimeoutMs: 60_000,
    });
    expect(settings.lease).toBeUndefined();
  });

  test("what the operator sets in a pod is understood", () => {
    const settings = botSettings(
      parseEnvironment(botEnvironment, {
        DISCORD_TOKEN_FILE: "/var/run/secrets/dkp/discord/token",
        DISCORD_GUILD_ID: "123456789012345678",
        DATABASE_HOST: "night-watch-db-rw",
        DATABASE_NAME: "dkp",
        DATABASE_USER_FILE: "/var/run/secrets/dkp/database/username",
        DATABASE_PASSWORD_FILE: "/var/run/secrets/dkp/database/password",
        DATABASE_CA_FILE: "/var/run/secrets/dkp/database-ca/ca.crt",
        LEASE_NAME: "night-watch-leader",
        REPORT_NAME: "night-watch-report",
        POD_NAME: "night-watch-bot-0",
      }),
    );
    expect(settings.discord.token).toEqual({ file: "/var/run/secrets/dkp/discord/token" });
    expect(settings.database).toMatchObject({
      host: "night-watch-db-rw",
      userFile: "/var/run/secrets/dkp/database/username",
      caFile: "/var/run/secrets/dkp/database-ca/ca.crt",
    });
    expect(settings.lease).toEqual({
      name: "night-watch-leader",
      reportName: "night-watch-report",
      durationMs: 15_000,
      renewDeadlineMs: 10_000,
      retryPeriodMs: 2000,
    });
  });

  test("all faults are told at once, and none of the values", () => {
    const found = faults({
      DISCORD_GUILD_ID: "my-guild",
      DATABASE_PORT: "seventy",
      BOT_MODE: "gateway",
      LOG_LEVEL: "loud",
      LEASE_NAME: "only-the-lease",
      DATABASE_PASSWORD: "hunter2",
    });
    const text = found.join("\n");
    for (const variable of [
      "DISCORD_GUILD_ID",
      "DATABASE_PORT",
      "BOT_MODE",
      "LOG_LEVEL",
      "DISCORD_TOKEN: is missing",
      "DATABASE_URL: is missing",
      "LEASE_NAME: and REPORT_NAME",
    ]) {
      expect(text).toContain(variable);
    }
    expect(text).not.toMatch(/hunter2|my-guild|seventy|loud/);
  });

  test.each([
    ["no token", { DISCORD_TOKEN: "" }, "DISCORD_TOKEN: is missing"],
    ["no database", { DATABASE_URL: "" }, "DATABASE_URL: is missing"],
    ["no encryption in production", { DATABASE_SSL_MODE: "disable" }, "DATABASE_SSL_MODE"],
    [
      "no encryption by the connection string",
      { DATABASE_URL: "postgresql://db/dkp?sslmode=disable" },
      "DATABASE_SSL_MODE",
    ],
    ["half of Kubernetes", { LEASE_NAME: "a" }, "LEASE_NAME"],
    ["a pool upside down", { DATABASE_POOL_MIN: "30" }, "DATABASE_POOL_MIN"],
    ["a Lease that cannot be renewed", { LEASE_RENEW_DEADLINE: "20" }, "LEASE_RENEW_DEADLINE"],
    ["a Discord without protocol", { DISCORD_API_URL: "discord.com" }, "DISCORD_API_URL"],
  ])("%s is refused", (_, change, sentence) => {
    expect(faults({ ...enough, ...change }).join("\n")).toContain(sentence);
  });

  test("DISCORD_BOT_TOKEN is another name for DISCORD_TOKEN, and a file wins over both", () => {
    const { DISCORD_TOKEN: _, ...rest } = enough;
    const named = botSettings(parseEnvironment(botEnvironment, { ...rest, DISCORD_BOT_TOKEN: "b" }));
    expect(named.discord.token).toEqual({ value: "b" });
    const file = botSettings(parseEnvironment(botEnvironment, { ...enough, DISCORD_TOKEN_FILE: "/t" }));
    expect(file.discord.token).toEqual({ file: "/t" });
  });

  test("the example names every variable and only those", () => {
    const example = readFileSync(new URL("../../config/dev/.env.example", import.meta.url), "utf8");
    const named = [...example.matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name);
    expect(named).toHaveLength(variableNames.length);
    expect(new Set(named)).toEqual(new Set(variableNames));
  });

  test("the example's defaults are the schema's", () => {
    const example = readFileSync(new URL("../../config/dev/.env.example", import.meta.url), "utf8");
    const values = Object.fromEntries(
      [...example.matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
    );
    const written = parseEnvironment(botEnvironment, { ...values, DISCORD_TOKEN: "t" });
    const defaults = parseEnvironment(botEnvironment, {
      DISCORD_TOKEN: "t",
      DISCORD_GUILD_ID: values["DISCORD_GUILD_ID"] ?? "",
      DATABASE_URL: values["DATABASE_URL"] ?? "",
    });
    expect(written).toEqual(defaults);
  });
});
