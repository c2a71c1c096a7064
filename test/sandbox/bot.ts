import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs, stripVTControlCharacters } from "node:util";
import { botEnvironment, botSettings } from "../../bot/config.ts";
import { runBot } from "../../bot/run.ts";
import { parseEnvironment } from "../../runtime/environment.ts";
import { logger } from "../../runtime/log.ts";
import { metricsRegistry } from "../../runtime/metrics.ts";
import { onShutdown } from "../../runtime/shutdown.ts";
import { startTelemetry } from "../../runtime/telemetry.ts";
import type { Application, Guild, Interaction, Member, Message } from "../discord/driver.ts";
import { startDiscord, type DiscordStandIn } from "../discord/stand-in.ts";
import { startPostgres } from "../postgres/server.ts";
import { keptPostgres, type KeptPostgres } from "./kept-postgres.ts";
import { bold, dim, isMistyped, readable, typables, typed, type Typable } from "./terminal.ts";

const usage = `npm run bot [-- options]

One bot without Kubernetes: an embedded PostgreSQL 16.6, and a Discord to try it on. Type slash commands as a member of
the guild and see what Discord would show; lines may also come from a pipe.

  --keep-data DIR   keep the database in DIR and find it there the next time
  --verbose         show what the bot logs
  --help

With DISCORD_TOKEN and DISCORD_GUILD_ID set, the bot joins the real Discord instead.
`;

const help = `Type a slash command as you would in Discord, with or without the names of its options:
  /dkp award @anna 50 First kill            /dkp award amount:50 members:@anna @ben reason:Raid
  /dkp balance   /dkp standings   /dkp history   /dkp undo 4
  /auction start Thunderfury   /auction bid a1 20   /auction list   /auction close a1
  /dkp-admin config set auctions.minimumBid 10
Besides:
  as anna         go on as another member
  press Next      press a button of the last answer
  commands        every command with its options
  quit            end (or Ctrl-D)
`;

type Stage = {
  discord: DiscordStandIn;
  application: Application;
  guild: Guild;
  write(text: string): void;
};

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      "keep-data": { type: "string" },
      verbose: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const colors = process.stdout.isTTY && process.env["NO_COLOR"] === undefined;
  const write = (text: string): void =>
    void process.stdout.write(colors ? text : stripVTControlCharacters(text));
  if (values.help) {
    write(usage);
    return 0;
  }
  write(`${bold("dkp-operator")}: one bot, without Kubernetes\n`);
  const folder = values["keep-data"];
  const postgres = await step(write, "PostgreSQL", async () => {
    const server = folder === undefined ? await passingPostgres() : await keptPostgres(folder);
    return [server, `16.6 on port ${server.port}, data in ${folder ?? "a folder that goes when you leave"}`];
  });
  const real = process.env["DISCORD_TOKEN"] !== undefined;
  const stage = real ? undefined : await step(write, "Discord", () => standIn(write));
  const ended = Promise.withResolvers<number>();
  const log = logger({
    level: values.verbose ? "debug" : "warn",
    format: "text",
    name: "dkp-bot",
    destination: { write: (line) => write(dim(line)) },
  });
  const shutdown = onShutdown({
    host: { on: (signal, listener) => process.on(signal, listener), exit: (code) => ended.resolve(code) },
    log,
    deadlineMs: 10_000,
  });
  shutdown.step("PostgreSQL", () => postgres.stop());
  await step(write, "Bot", async () => {
    const environment = {
      ENVIRONMENT: "development",
      ...(stage === undefined
        ? process.env
        : {
            DISCORD_TOKEN: stage.application.token,
            DISCORD_GUILD_ID: stage.guild.id,
            DISCORD_API_URL: stage.discord.apiUrl,
          }),
      DATABASE_URL: postgres.databaseUrl,
      DATABASE_SSL_MODE: "disable",
      METRICS_ADDRESS: "127.0.0.1:0",
      SERVICE_ACCOUNT_DIR: "/nonexistent",
    };
    const settings = botSettings(parseEnvironment(botEnvironment, environment));
    const telemetry = await startTelemetry({ serviceName: "dkp-bot", version: "dev" });
    const registry = metricsRegistry();
    const { port } = await runBot({ settings, version: "dev", log, registry, telemetry, shutdown });
    return [port, `serves commands; metrics and probes on http://127.0.0.1:${port}`];
  });
  if (stage !== undefined) {
    void converse(stage).then(() => shutdown.begin("the conversation ended"));
  }
  const code = await ended.promise;
  await stage?.discord.close();
  return code;
}

async function passingPostgres(): Promise<KeptPostgres> {
  const server = await startPostgres();
  const { ownerUrl } = await server.createDatabase();
  return { port: server.port, databaseUrl: ownerUrl, stop: () => server.stop() };
}

/** Runs one step of the start and tells what came of it and how long it took. */
async function step<Result>(
  write: (text: string) => void,
  name: string,
  run: () => Promise<[Result, string]>,
): Promise<Result> {
  const startedAtMs = performance.now();
  const terminal = process.stdout.isTTY;
  write(terminal ? `  ${name.padEnd(11)} ${dim("starting …")}` : "");
  const [result, sentence] = await run();
  const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1);
  write(`${terminal ? "\r\u001B[2K" : ""}  ${name.padEnd(11)} ${sentence} ${dim(`(${seconds} s)`)}\n`);
  return result;
}

async function standIn(write: (text: string) => void): Promise<[Stage, string]> {
  const discord = await startDiscord();
  const application = await discord.addApplication({ name: "DKP" });
  // Constant ids, so that a database that was kept still knows everybody.
  const guild = await discord.addGuild({
    id: "123456789012345678",
    name: "Night Watch",
    roles: [{ name: "Officer", permissions: 1n << 5n }],
    channels: [{ id: "1000000000000000003", name: "loot" }],
    members: [
      { id: "1000000000000000011", name: "mira", roles: ["Officer"] },
      { id: "1000000000000000012", name: "anna" },
      { id: "1000000000000000013", name: "ben" },
      { id: "1000000000000000014", name: "cleo" },
    ],
    applications: [application],
  });
  const sentence = `a stand-in on this machine (the real one with DISCORD_TOKEN), guild Night Watch`;
  return [{ discord, application, guild, write }, sentence];
}

/** Reads lines until there are no more, and plays what they say. */
async function converse(stage: Stage): Promise<void> {
  const { discord, application, guild, write } = stage;
  const terminal = process.stdin.isTTY && process.stdout.isTTY;
  while ((await discord.commands(application, guild)).length < 3) {
    await pause(50);
  }
  const known = typables(await discord.commands(application, guild));
  let [member] = guild.members;
  let last: Message | undefined;
  write(
    `\nMembers: ${guild.members.map(({ name }) => `@${name}`).join(", ")}. You are ${bold("@mira")}, an officer.\n` +
      `Try ${bold("/dkp award @anna 50 First kill")}, then ${bold("as anna")}; ${bold("help")} tells the rest.\n\n`,
  );
  const lines = createInterface({ input: process.stdin, output: terminal ? process.stdout : undefined });
  lines.on("SIGINT", () => lines.close());
  const watching = watchChannels(stage, () => terminal && lines.prompt(true));
  lines.setPrompt(`${member?.name}> `);
  if (terminal) lines.prompt();
  for await (const line of lines) {
    const text = line.trim();
    if (!terminal && text !== "") write(`${dim(`${member?.name}>`)} ${text}\n`);
    if (text === "quit" || text === "exit") break;
    if (text.startsWith("as ")) {
      member =
        guild.members.find(({ name }) => `@${name}` === `@${text.slice(3).replace("@", "")}`) ?? member;
      lines.setPrompt(`${member?.name}> `);
    } else if (member !== undefined && text !== "") {
      last = (await play(text, member, last, known, stage)) ?? last;
      await watching.look();
    }
    if (terminal) lines.prompt();
  }
  lines.close();
  await watching.stop();
}

/** Plays one line; the answer, if there was one, is what buttons are pressed on next. */
async function play(
  text: string,
  member: Member,
  last: Message | undefined,
  known: Typable[],
  { discord, guild, write }: Stage,
): Promise<Message | undefined> {
  if (text === "help") {
    write(help);
    return undefined;
  }
  if (text === "commands") {
    write(known.map(described).join(""));
    return undefined;
  }
  try {
    let interaction: Interaction;
    if (text.startsWith("press ")) {
      if (last === undefined) throw new Error("There is no answer with a button yet.");
      interaction = await discord.as(member).button(last, text.slice(6).trim());
    } else {
      const meant = typed(text, known, guild);
      if ("sentence" in meant) throw new Error(meant.sentence);
      interaction = await discord.as(member).command(meant.path, meant.options);
    }
    const reply = await interaction.reply();
    const whom = reply.ephemeral ? dim("(only you see this) ") : "";
    const shown = readable(reply, guild, Date.now());
    write(`${shown.map((line, index) => `  ${index === 0 ? whom : ""}${line}`).join("\n")}\n`);
    return reply;
  } catch (error) {
    write(`  ${error instanceof Error ? error.message : String(error)}\n`);
    return undefined;
  }
}

function described({ path, description, options }: Typable): string {
  const names = options.map(({ name, required }) => (required === true ? name : `[${name}]`)).join(" ");
  return `  /${path} ${names}\n      ${dim(description)}\n`;
}

/** Shows what the bot posts and edits in the channels. */
function watchChannels({ discord, guild, write }: Stage, after: () => void) {
  const seen = new Map<string, number>();
  async function look(): Promise<void> {
    let shown = false;
    for (const channel of guild.channels) {
      for (const message of await discord.messages(channel)) {
        if (seen.get(message.id) === message.edits) continue;
        const verb = seen.has(message.id) ? "edited" : "posted";
        seen.set(message.id, message.edits);
        const lines = readable(message, guild, Date.now());
        write(
          `\r\u001B[2K${lines.map((line, index) => `  ${index === 0 ? dim(`#${channel.name}, ${verb}: `) : "    "}${line}`).join("\n")}\n`,
        );
        shown = true;
      }
    }
    if (shown) after();
  }
  const timer = setInterval(() => void look(), 400);
  return {
    look,
    async stop() {
      clearInterval(timer);
      await pause(500); // What the last command posted is on its way.
      await look();
    },
  };
}

const code = await main().catch((cause: unknown) => {
  if (!isMistyped(cause)) throw cause;
  process.stderr.write(`${cause.message}\n\n${usage}`);
  return 2;
});
process.exit(code);
