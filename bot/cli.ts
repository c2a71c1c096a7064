import { parseEnvironment } from "../runtime/environment.ts";
import {
  botEnvironment,
  botSettings,
  databaseEnvironment,
  databaseSettings,
  discordEnvironment,
  discordSettings,
} from "./config.ts";
import { openDatabase } from "./store/database.ts";
import { isTransient } from "./store/failure.ts";
import { migrateToLatest, type Migrated } from "./store/migrate.ts";

type Environment = Record<string, string | undefined>;
type Write = (text: string) => void;

const usage = `Usage: bot [command]

  run          run one replica of the bot (the default)
  db migrate   bring the database to the newest schema, as its owner
  setup        check token, guild and permissions, and register the commands (by REST alone, again and again)
               --json: the result as JSON
               --best-effort: put off what Discord does not take now, and fail only where the commands themselves are wrong
  doctor       check token, guild, commands, database and Kubernetes, and say what is wrong

Exit codes: 0 done, 1 failed (the line says what to mend), 2 no such command.
Everything is configured by environment variables: see config/dev/.env.example.
`;

/** A database that was just created may take so long until it answers. */
const migrateForMs = 120_000;

/** Runs one command of the command line; the result is the exit code: 0 well, 1 not, 2 not understood. */
export async function runCli(
  args: readonly string[],
  environment: Environment,
  write: Write,
): Promise<number> {
  switch (args.join(" ")) {
    case "db migrate":
      return migrate(environment, write);
    case "setup":
    case "setup --json":
    case "setup --best-effort": {
      const { setup } = await import("./setup.ts");
      const variables = parseEnvironment(discordEnvironment, environment);
      const options = { json: args.includes("--json"), bestEffort: args.includes("--best-effort") };
      return setup(discordSettings(variables), options, write);
    }
    case "doctor": {
      const { doctor } = await import("./doctor.ts");
      return doctor(botSettings(parseEnvironment(botEnvironment, environment)), write);
    }
    case "help":
    case "--help":
    case "-h":
      write(usage);
      return 0;
    default:
      write(`There is no command "${args.join(" ")}".\n\n${usage}`);
      return 2;
  }
}

async function migrate(environment: Environment, write: Write): Promise<number> {
  const variables = parseEnvironment(databaseEnvironment, environment);
  const database = openDatabase({ ...databaseSettings(variables, "dkp-migrate"), poolMin: 0, poolMax: 2 });
  const { DISCORD_GUILD_ID: guildId, DATABASE_RUNTIME_ROLE: runtimeRole } = variables;
  const { DATABASE_DEVELOPER_ROLE: role, DATABASE_DEVELOPER_ACCESS: access } = variables;
  const options = {
    guildId,
    ...(runtimeRole === undefined ? {} : { runtimeRole }),
    ...(role === undefined ? {} : { developer: { role, access } }),
  };
  const deadlineMs = Date.now() + migrateForMs;
  try {
    for (;;) {
      const migrated = await attempt(() => migrateToLatest(database, options), deadlineMs);
      if (migrated !== undefined) {
        write(migratedText(migrated));
        return 0;
      }
      write("The database does not answer yet, trying again.\n");
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  } finally {
    await database.close();
  }
}

function migratedText({ applied, ahead, remarks }: Migrated): string {
  const done =
    ahead.length > 0
      ? `The database is ahead of this version (${ahead.join(", ")}): nothing was changed.`
      : applied.length === 0
        ? "The database is up to date."
        : `The database was migrated: ${applied.join(", ")}.`;
  return [done, ...remarks].map((line) => `${line}\n`).join("");
}

/** The result, or undefined after a failure that another attempt may not meet. */
async function attempt<Result>(work: () => Promise<Result>, deadlineMs: number): Promise<Result | undefined> {
  try {
    return await work();
  } catch (error) {
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    if (!(isTransient(error) || isTransient(cause)) || Date.now() > deadlineMs) {
      throw error;
    }
    return undefined;
  }
}
