import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { PermissionFlagsBits } from "discord.js";
import { botEnvironment, botSettings } from "../../bot/config.ts";
import { runBot } from "../../bot/run.ts";
import { openDatabase } from "../../bot/store/database.ts";
import { databaseSettingsFromUrl } from "../../bot/store/connection.ts";
import { migrateToLatest } from "../../bot/store/migrate.ts";
import { parseEnvironment } from "../../runtime/environment.ts";
import { logger } from "../../runtime/log.ts";
import { metricsRegistry } from "../../runtime/metrics.ts";
import { onShutdown } from "../../runtime/shutdown.ts";
import { startTelemetry } from "../../runtime/telemetry.ts";
import type { Application, Guild, Member, Role } from "../discord/driver.ts";
import { startDiscord, type DiscordOptions, type DiscordStandIn } from "../discord/stand-in.ts";
import { startPostgres, type PostgresServer, type TestDatabase } from "../postgres/server.ts";

type LogLine = { level: string; msg: string } & Record<string, unknown>;

/** One running replica within this process. */
export type Replica = { port: number; logs: LogLine[]; stop(): Promise<void> };

/** One replica as a process of its own, which can be killed. */
export type ReplicaProcess = {
  child: ChildProcess;
  port: number;
  output(): string;
  kill(signal: "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT"): Promise<void>;
};

export type House = {
  postgres: PostgresServer;
  database: TestDatabase;
  discord: DiscordStandIn;
  application: Application;
  guild: Guild;
  officerRole: Role;
  /** Manages the server, and so may do what officers may. */
  manager: Member;
  officer: Member;
  players: Member[];
  environment(more?: Record<string, string>): Record<string, string>;
  replica(more?: Record<string, string>): Promise<Replica>;
  process(more?: Record<string, string>): Promise<ReplicaProcess>;
  /** Resolves when the commands are registered, so that members can use them. */
  registered(): Promise<void>;
  /** Rows of a query as the database's superuser. */
  rows<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]>;
  /** The types of all events, oldest first. */
  events(): Promise<string[]>;
  close(): Promise<void>;
};

const root = fileURLToPath(new URL("../..", import.meta.url));

/** PostgreSQL, Discord and a guild with an officer role: everything a bot needs to live. */
export async function house(
  options: { players?: number; discord?: DiscordOptions; postgres?: PostgresServer } = {},
): Promise<House> {
  const postgres = options.postgres ?? (await startPostgres());
  const [database, discord] = await Promise.all([postgres.createDatabase(), startDiscord(options.discord)]);
  const application = await discord.addApplication({ name: "DKP" });
  const guild = await discord.addGuild({
    name: "Night Watch",
    roles: [{ name: "Officer" }, { name: "Manager", permissions: PermissionFlagsBits.ManageGuild }],
    channels: [{ name: "general" }, { name: "auctions" }, { name: "results" }],
    members: [
      { name: "mira", roles: ["Manager"] },
      { name: "orla", roles: ["Officer"] },
      ...Array.from({ length: options.players ?? 4 }, (_, index) => ({ name: `player${index + 1}` })),
    ],
    applications: [application],
  });
  const [officerRole] = guild.roles;
  const [manager, officer, ...players] = guild.members;
  if (officerRole === undefined || manager === undefined || officer === undefined) {
    throw new Error("the stand-in made another guild than asked for");
  }
  await migrated(database, guild.id);
  const admin = new pg.Pool({ connectionString: postgres.adminUrl(database.name), max: 2 });
  admin.on("error", () => undefined);
  const running: (() => Promise<void>)[] = [];
  const environment = (more: Record<string, string> = {}): Record<string, string> => ({
    ENVIRONMENT: "development",
    DISCORD_TOKEN: application.token,
    DISCORD_GUILD_ID: guild.id,
    DISCORD_API_URL: discord.apiUrl,
    DATABASE_URL: database.botUrl,
    DATABASE_SSL_MODE: "disable",
    DATABASE_POOL_MIN: "1",
    METRICS_ADDRESS: "127.0.0.1:0",
    SERVICE_ACCOUNT_DIR: "/nonexistent",
    ...more,
  });
  return {
    postgres,
    database,
    discord,
    application,
    guild,
    officerRole,
    manager,
    officer,
    players,
    environment,
    async replica(more) {
      const replica = await inProcess(environment(more));
      running.push(() => replica.stop());
      return replica;
    },
    async process(more) {
      const replica = await spawned(environment(more));
      running.push(() => replica.kill("SIGKILL"));
      return replica;
    },
    async registered() {
      await until(async () => (await discord.commands(application, guild)).length === 3);
    },
    async rows(sql, values) {
      const { rows } = await admin.query(sql, values);
      return rows;
    },
    async events() {
      const { rows } = await admin.query<{ type: string }>("select type from event order by seq");
      return rows.map(({ type }) => type);
    },
    async close() {
      await Promise.all(running.map((stop) => stop()));
      await admin.end();
      await discord.close();
      if (options.postgres === undefined) {
        await postgres.stop();
      }
    },
  };
}

async function migrated({ ownerUrl }: TestDatabase, guildId: string): Promise<void> {
  const database = openDatabase(
    databaseSettingsFromUrl(ownerUrl, {
      sslMode: "disable",
      poolMin: 0,
      poolMax: 2,
      commandTimeoutMs: 10_000,
    }),
  );
  await migrateToLatest(database, { guildId, runtimeRole: "dkp_bot" });
  await database.close();
}

async function inProcess(environment: Record<string, string>): Promise<Replica> {
  const settings = botSettings(parseEnvironment(botEnvironment, environment));
  const logs: LogLine[] = [];
  const log = logger({
    level: "debug",
    format: "json",
    name: "dkp-bot",
    destination: { write: (line) => logs.push(JSON.parse(line) as LogLine) },
  });
  const ended = Promise.withResolvers<number>();
  const shutdown = onShutdown({
    host: { on: () => undefined, exit: (code) => ended.resolve(code) },
    log,
    deadlineMs: 20_000,
  });
  const registry = metricsRegistry();
  const telemetry = await startTelemetry({ serviceName: "dkp-bot", version: "test" });
  const { port } = await runBot({ settings, version: "test", log, registry, telemetry, shutdown });
  return {
    port,
    logs,
    async stop() {
      shutdown.begin("test");
      await ended.promise;
    },
  };
}

async function spawned(environment: Record<string, string>): Promise<ReplicaProcess> {
  const child = spawn(process.execPath, [`${root}bot/main.ts`], {
    env: { PATH: process.env["PATH"] ?? "", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const serving = Promise.withResolvers<number>();
  const read = (chunk: Buffer) => {
    output += chunk.toString("utf8");
    const port = /"port":(\d+),"msg":"the bot serves commands"/.exec(output)?.[1];
    if (port !== undefined) {
      serving.resolve(Number(port));
    }
  };
  child.stdout.on("data", read);
  child.stderr.on("data", read);
  child.once("exit", (code) => serving.reject(new Error(`the bot ended with ${code}: ${output}`)));
  const port = await serving.promise;
  return {
    child,
    port,
    output: () => output,
    async kill(signal) {
      const exited = child.exitCode === null && child.signalCode === null ? once(child, "exit") : undefined;
      child.kill(signal);
      if (signal !== "SIGSTOP" && signal !== "SIGCONT") {
        await exited;
      }
    },
  };
}

/** Resolves when the condition holds; rejects after a generous while. */
export async function until(condition: () => Promise<boolean> | boolean, timeoutMs = 30_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) {
      throw new Error(`waited ${timeoutMs} ms in vain`);
    }
    await pause(20);
  }
}
