import { connectDiscord, type RemoteDiscord } from "../discord/control-client.ts";
import type { Application, Guild } from "../discord/driver.ts";
import { startPostgres } from "../postgres/server.ts";
import type { Bundles } from "./bundles.ts";
import { type Program, program } from "./program.ts";

/** Node's flags and environment as Dockerfile.bot has them; its 60 % of memory is written out for a pod of 256 MiB. */
const nodeFlags = ["--max-semi-space-size=1", "--optimize-for-size"];
const production = {
  NODE_ENV: "production",
  NODE_OPTIONS: "--max-old-space-size=154",
  MALLOC_ARENA_MAX: "1",
};

/** What a bot needs to live: PostgreSQL, and Discord's stand-in as a process of its own with one guild. */
export type BotHouse = {
  discord: RemoteDiscord;
  guild: Guild;
  /** Starts the bundled bot; resolves when it serves commands, with the milliseconds that took. */
  bot(): Promise<{ bot: Program; readyMs: number }>;
  /** A process with the bot's flags, logged in as an application of its own; says `ready`. */
  bareClient(): Promise<Program>;
  stop(): Promise<void>;
};

/** Starts them, with `members` members besides an officer, and migrates the database. */
export async function openBotHouse(bundles: Bundles, members: number): Promise<BotHouse> {
  const postgres = await startPostgres();
  const database = await postgres.createDatabase();
  const standIn = program(bundles.discord, {
    args: ["--port", "0", "--address", "127.0.0.1", "--identify-interval-ms", "50"],
  });
  const { port } = await standIn.line(({ port }) => typeof port === "number");
  const discord = await connectDiscord(`http://127.0.0.1:${String(port)}`);
  const application = await discord.addApplication({ name: "DKP" });
  const peer = await discord.addApplication({ name: "Bare" });
  const guild = await discord.addGuild({
    name: "Night Watch",
    roles: [{ name: "Officer", permissions: "32" }],
    channels: [{ name: "general" }, { name: "auctions" }],
    members: [
      { name: "officer", roles: ["Officer"] },
      ...Array.from({ length: members }, (_, index) => ({ name: `player${index + 1}` })),
    ],
    applications: [application, peer],
  });
  const environment = (of: Application, url: string) => ({
    ...production,
    ENVIRONMENT: "development",
    DISCORD_TOKEN: of.token,
    DISCORD_GUILD_ID: guild.id,
    DISCORD_API_URL: discord.apiUrl,
    DATABASE_URL: url,
    DATABASE_SSL_MODE: "disable",
    DATABASE_RUNTIME_ROLE: "dkp_bot",
    METRICS_ADDRESS: "127.0.0.1:0",
    SERVICE_ACCOUNT_DIR: "/nonexistent",
  });
  const migrating = program(bundles.bot, {
    args: ["db", "migrate"],
    nodeFlags,
    env: environment(application, database.ownerUrl),
  });
  await migrating.ended();
  return {
    discord,
    guild,
    async bot() {
      const beganMs = performance.now();
      const bot = program(bundles.bot, {
        args: ["run"],
        nodeFlags,
        env: environment(application, database.botUrl),
      });
      await bot.line(({ msg }) => msg === "the bot serves commands");
      return { bot, readyMs: performance.now() - beganMs };
    },
    async bareClient() {
      const client = program(bundles.bareClient, { nodeFlags, env: environment(peer, database.botUrl) });
      await client.message(({ ready }) => ready === true);
      return client;
    },
    async stop() {
      await standIn.stop();
      await postgres.stop();
    },
  };
}
