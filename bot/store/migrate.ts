import { randomUUID } from "node:crypto";
import { sql } from "kysely";
import type { Kysely } from "kysely";
import { Migrator } from "kysely/migration";
import type { Migration } from "kysely/migration";
import { WrongLedger } from "./failure.ts";
import { ledgerTables } from "./migrations/0001-ledger.ts";
import type { Database } from "./database.ts";
import type { Tables } from "./tables.ts";

/** In order; a name that was released never changes. Listed here so that a bundle carries them. */
const migrations: Record<string, Migration> = { "0001-ledger": ledgerTables };

/** What the bot's role may do, table by table; nobody may change or remove an event. */
const grants: Record<keyof Tables, string> = {
  ledger_identity: "select",
  stream: "select, update",
  event: "select, insert",
  balance: "select, insert, update",
  auction: "select, insert, update",
  bid: "select, insert",
  history: "select, insert",
  reversal: "select, insert, update, delete",
  identity: "select, insert, update, delete",
  free_text: "select, insert, update, delete",
  inbox: "select, insert, update, delete",
  outbox: "select, insert, update, delete",
  message: "select, insert, update, delete",
  identify_turn: "select, update",
};

export type MigrateOptions = {
  /** The Discord guild whose ledger this database holds, from now on for good. */
  readonly guildId: string;
  /** The role the bot runs as, made beforehand. Without one, whoever owns the tables runs the bot. */
  readonly runtimeRole?: string;
};

/**
 * Brings the database to the newest schema; safe to run from several processes at once and again and again.
 * @returns the names of the migrations that were applied
 * @throws WrongLedger when the database holds another guild's ledger
 */
export async function migrateToLatest(
  { kysely }: Database,
  { guildId, runtimeRole }: MigrateOptions,
): Promise<{ applied: string[] }> {
  const { error, results } = await migrator(kysely).migrateToLatest();
  if (error !== undefined) {
    const name = results?.find(({ status }) => status === "Error")?.migrationName;
    throw new Error(`the database could not be migrated${name === undefined ? "" : ` (${name})`}`, {
      cause: error,
    });
  }
  await kysely.transaction().execute(async (transaction) => {
    // Two Jobs at once take turns here.
    await sql`select pg_advisory_xact_lock(hashtext('dkp migrate'))`.execute(transaction);
    await settleIdentity(transaction, guildId);
    if (runtimeRole !== undefined) {
      await grantTo(transaction, runtimeRole);
    }
  });
  return { applied: (results ?? []).map(({ migrationName }) => migrationName) };
}

/** The names of migrations that this program has and the database has not. */
export async function pendingMigrations({ kysely }: Database): Promise<string[]> {
  const { rows } = await sql<{ table: string | null }>`
    select to_regclass('kysely_migration')::text as table`.execute(kysely);
  if (rows[0]?.table === null) {
    return Object.keys(migrations);
  }
  const applied = await sql<{ name: string }>`select name from kysely_migration`.execute(kysely);
  const names = new Set(applied.rows.map(({ name }) => name));
  return Object.keys(migrations).filter((name) => !names.has(name));
}

function migrator(kysely: Kysely<Tables>): Migrator {
  return new Migrator({ db: kysely, provider: { getMigrations: () => Promise.resolve(migrations) } });
}

async function settleIdentity(kysely: Kysely<Tables>, guildId: string): Promise<void> {
  const known = await kysely.selectFrom("ledger_identity").select("guild_id").executeTakeFirst();
  if (known === undefined) {
    const identity = { guild_id: guildId, ledger_id: randomUUID() };
    await kysely.insertInto("ledger_identity").values(identity).execute();
    await sql`alter table event add constraint event_guild check (guild_id = ${sql.lit(guildId)})`.execute(
      kysely,
    );
  } else if (known.guild_id !== guildId) {
    throw new WrongLedger(`this database holds the ledger of guild ${known.guild_id}, not of ${guildId}`);
  }
}

async function grantTo(kysely: Kysely<Tables>, role: string): Promise<void> {
  const { rows } = await sql`select 1 from pg_roles where rolname = ${role}`.execute(kysely);
  if (rows.length === 0) {
    throw new Error(`the database has no role ${role}: create it, then migrate again`);
  }
  const grantee = sql.id(role);
  await sql`grant usage on schema public to ${grantee}`.execute(kysely);
  await sql`grant select on kysely_migration to ${grantee}`.execute(kysely);
  for (const [table, privileges] of Object.entries(grants)) {
    await sql`revoke all on ${sql.table(table)} from ${grantee}`.execute(kysely);
    await sql`grant ${sql.raw(privileges)} on ${sql.table(table)} to ${grantee}`.execute(kysely);
  }
}
