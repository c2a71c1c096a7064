import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createServer, type AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { house, until, type House } from "./house.ts";

const program = fileURLToPath(new URL("../../bot/main.ts", import.meta.url));

let home: House;

beforeAll(async () => {
  home = await house();
});

afterAll(async () => {
  expect(await home.discord.violations()).toEqual([]);
  await home.close();
});

/** Runs the program to its end. */
function run(
  args: string[],
  environment: Record<string, string>,
): Promise<{ code: number; output: string; errors: string }> {
  return new Promise((resolve) => {
    const env = { PATH: process.env["PATH"] ?? "", ...environment };
    execFile(process.execPath, [program, ...args], { env }, (error, output, errors) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, output, errors });
    });
  });
}

describe("the command line", () => {
  test("tells every fault of the environment at once, without a value, and ends with 1", async () => {
    const { code, errors } = await run([], { DISCORD_GUILD_ID: "hunter2", LOG_LEVEL: "hunter3" });
    expect(code).toBe(1);
    for (const variable of ["DISCORD_TOKEN", "DISCORD_GUILD_ID", "LOG_LEVEL", "DATABASE_URL"]) {
      expect(errors).toContain(variable);
    }
    expect(errors).not.toMatch(/hunter/);
  });

  test("explains itself", async () => {
    expect(await run(["--help"], {})).toMatchObject({ code: 0, output: expect.stringMatching(/db migrate/) });
    expect(await run(["launch"], {})).toMatchObject({
      code: 2,
      output: expect.stringMatching(/There is no command "launch"/),
    });
  });

  test("migrates a new database as its owner, and finds nothing to do the second time", async () => {
    const database = await home.postgres.createDatabase();
    const environment = {
      ENVIRONMENT: "development",
      DISCORD_GUILD_ID: "123456789012345678",
      DATABASE_URL: database.ownerUrl,
      DATABASE_SSL_MODE: "disable",
      DATABASE_RUNTIME_ROLE: "dkp_bot",
    };
    expect(await run(["db", "migrate"], environment)).toMatchObject({
      code: 0,
      output: expect.stringMatching(/The database was migrated: 0001/),
    });
    expect(await run(["db", "migrate"], environment)).toMatchObject({
      code: 0,
      output: "The database is up to date.\n",
    });
    const other = { ...environment, DISCORD_GUILD_ID: "123456789012345679" };
    expect(await run(["db", "migrate"], other)).toMatchObject({
      code: 1,
      errors: expect.stringMatching(/WrongLedger/),
    });
  });

  test("sets Discord up by REST alone: once, and in the same words again", async () => {
    const own = await house({ postgres: home.postgres });
    const { DISCORD_TOKEN = "", DISCORD_GUILD_ID = "", DISCORD_API_URL = "" } = own.environment();
    const discord = { DISCORD_TOKEN, DISCORD_GUILD_ID, DISCORD_API_URL };
    const first = await run(["setup"], discord);
    expect(first).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^ok: DKP .*Night Watch, 3 commands/),
    });
    expect(await own.discord.commands(own.application, own.guild)).toHaveLength(3);
    const again = await run(["setup", "--json"], discord);
    expect(JSON.parse(again.output)).toMatchObject({
      ok: true,
      guild: { id: own.guild.id },
      commands: { count: 3, written: false },
      missingPermissions: [],
    });
    expect(await own.discord.journal({ method: "PUT" })).toHaveLength(1);
    expect(await own.discord.sessions()).toEqual([]);
    const refused = await run(["setup"], { ...discord, DISCORD_TOKEN: "hunter2" });
    expect(refused).toMatchObject({
      code: 1,
      output: expect.stringMatching(/^FAILED Discord refused the bot token/),
    });
    expect(refused.output + refused.errors).not.toContain("hunter2");
    await own.discord.kick(own.guild, own.application);
    expect(await run(["setup"], discord)).toMatchObject({
      code: 1,
      output: expect.stringMatching(/not a member of guild \d+: invite it with https:/),
    });
    expect(await own.discord.violations()).toEqual([]);
    await own.close();
  });

  test("finds out what is wrong, and says that all is well", async () => {
    await home.replica();
    await home.registered();
    const well = await run(["doctor"], home.environment());
    expect(well.output).toContain("All is well.");
    const hash = createHash("sha256").update(home.application.token).digest("hex").slice(0, 8);
    expect(well.output).toContain(`token ${hash}`);
    expect(well.output).not.toContain(home.application.token);
    expect(well.code).toBe(0);
    const ill = await run(["doctor"], {
      ...home.environment(),
      DISCORD_TOKEN: "wrong",
      DATABASE_URL: "postgresql://dkp:hunter2@127.0.0.1:1/dkp",
    });
    expect(ill.code).toBe(1);
    expect(ill.output).toMatch(/token\s+FAILED/);
    expect(ill.output).toMatch(/database\s+FAILED/);
    expect(ill.output).not.toContain("hunter2");
  });
});

describe("a process", () => {
  test("answers probes and metrics under all their names, and ends with 0 on SIGTERM", async () => {
    const replica = await home.process();
    const get = (path: string) => fetch(`http://127.0.0.1:${replica.port}${path}`);
    await until(async () => (await get("/readyz")).status === 200);
    for (const path of ["/healthz", "/health", "/readyz", "/ready"]) {
      expect((await get(path)).status).toBe(200);
    }
    const metrics = await (await get("/metrics")).text();
    for (const name of [
      "dkp_discord_connected",
      "dkp_commands_total",
      "dkp_event_lag_seconds",
      "process_resident",
    ]) {
      expect(metrics).toContain(name);
    }
    await replica.kill("SIGTERM");
    expect(replica.child.exitCode).toBe(0);
    expect(replica.output()).not.toContain(home.application.token);
  });

  test("is alive but not ready while the database is away, and serves once it is there", async () => {
    const own = await house();
    try {
      await own.postgres.stopHard();
      const starting = own.replica();
      await until(async () => (await own.discord.journal()).length === 0);
      await own.postgres.restart();
      const replica = await starting;
      await own.registered();
      const told = replica.logs.filter(({ msg }) => msg === "the database answers");
      expect(told).toHaveLength(1);
      const balance = await own.discord.as(own.manager).command("dkp balance");
      await balance.reply();
    } finally {
      await own.close();
    }
  });

  test("does not touch the ledger of another guild, and says why it is not ready", async () => {
    const other = home.environment({
      DISCORD_GUILD_ID: "123456789012345678",
      METRICS_ADDRESS: `127.0.0.1:${await freePort()}`,
    });
    const child = spawn(process.execPath, [program], { env: other, stdio: "ignore" });
    try {
      const get = (path: string) => fetch(`http://${other["METRICS_ADDRESS"]}${path}`);
      await until(() =>
        get("/healthz").then(
          ({ ok }) => ok,
          () => false,
        ),
      );
      await until(async () => (await (await get("/readyz")).text()).includes("holds the ledger of guild"));
      expect((await get("/readyz")).status).toBe(503);
      expect(await home.discord.sessions()).toHaveLength(1);
    } finally {
      child.kill("SIGKILL");
    }
  });
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
