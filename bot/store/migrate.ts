import { randomUUID } from "node:crypto";
import { sql } from "kysely";
import type { Kysely } from "kysely";
import { Migrator } from "kysely/migration";
import type { Migration } from "kysely/migration";
import { closeToPublic, settleDeveloper } from "./access.ts";
import type { DeveloperAccess } from "./access.ts";
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
  /** The role for people, and what it gets; without one, whoever had access loses it. */
  readonly developer?: DeveloperAccess;
};

export type Migrated = {
  /** The names of the migrations that were applied. */
  readonly applied: string[];
  /** Migrations of a newer version that the database has already: then nothing at all was changed. */
  readonly ahead: string[];
  /** Sentences for whoever reads the log. */
  readonly remarks: string[];
};

/**
 * Brings the database to the newest schema; safe to run from several processes at once and again and again.
 * A database that a newer version migrated is left as it is, so that a version can be taken back.
 * @throws WrongLedger when the database holds another guild's ledger
 */
export async function migrateToLatest({ kysely }: Database, options: MigrateOptions): Promise<Migrated> {
  const ahead = await newerMigrations(kysely);
  if (ahead.length > 0) {
    await refuseOthers(kysely, options.guildId);
    return { applied: [], ahead, remarks: [] };
  }
  const { error, results } = await migrator(kysely).migrateToLatest();
  if (error !== undefined) {
    const name = results?.find(({ status }) => status === "Error")?.migrationName;
    throw new Error(`the database could not be migrated${name === undefined ? "" : ` (${name})`}`, {
      cause: error,
    });
  }
  const remarks = await kysely.transaction().execute(async (transaction) => {
    // Two Jobs at once take turns here.
    await sql`select pg_advisory_xact_lock(hashtext('dkp migrate'))`.execute(transaction);
    await settleIdentity(transaction, options.guildId);
    return settleRoles(transaction, options);
  });
  return { applied: (results ?? []).map(({ migrationName }) => migrationName), ahead: [], remarks };
}

async function settleRoles(
  kysely: Kysely<Tables>,
  { runtimeRole, developer }: MigrateOptions,
): Promise<string[]> {
  const { rows } = await sql<{ owner: string }>`select current_user as owner`.execute(kysely);
  const isOwner = runtimeRole === undefined || runtimeRole === rows[0]?.owner;
  if (!isOwner) {
    await grantTo(kysely, runtimeRole);
  }
  // A role that lost its access is not let in again.
  const remarks = await settleDeveloper(kysely, developer);
  const guests = [
    isOwner ? undefined : runtimeRole,
    developer?.access === undefined ? undefined : developer.role,
  ];
  await closeToPublic(
    kysely,
    guests.filter((role) => role !== undefined),
  );
  return isOwner ? [ownerRuns, ...remarks] : remarks;
}

const ownerRuns =
  "The bot runs as the owner of its tables: that the ledger is append-only is then held by triggers alone, which an owner can remove. Give the bot a second role with DATABASE_RUNTIME_ROLE.";

/** Told when the bot itself is the owner of its tables; undefined when it has a role of its own. */
export async function ownerRemark({ kysely }: Database): Promise<string | undefined> {
  const { rows } = await sql<{ owns: boolean }>`
    select pg_has_role(current_user, relowner, 'member') as owns
    from pg_class where oid = 'event'::regclass`.execute(kysely);
  return rows[0]?.owns === true ? ownerRuns : undefined;
}

/** The names of migrations that this program has and the database has not. */
export async function pendingMigrations({ kysely }: Database): Promise<string[]> {
  const names = await appliedMigrations(kysely);
  return Object.keys(migrations).filter((name) => !names.has(name));
}

/** The names of migrations that the database has and this program does not know. */
async function newerMigrations(kysely: Kysely<Tables>): Promise<string[]> {
  return [...(await appliedMigrations(kysely))].filter((name) => !(name in migrations));
}

async function appliedMigrations(kysely: Kysely<Tables>): Promise<Set<string>> {
  const { rows } = await sql<{ table: string | null }>`
    select to_regclass('kysely_migration')::text as table`.execute(kysely);
  if (rows[0]?.table === null) {
    return new Set();
  }
  const applied = await sql<{ name: string }>`select name from kysely_migration`.execute(kysely);
  return new Set(applied.rows.map(({ name }) => name));
}

function migrator(kysely: Kysely<Tables>): Migrator {
  return new Migrator({ db: kysely, provider: { getMigrations: () => Promise.resolve(migrations) } });
}

async function refuseOthers(kysely: Kysely<Tables>, guildId: string): Promise<boolean> {
  const known = await kysely.selectFrom("ledger_identity").select("guild_id").executeTakeFirst();
  if (known !== undefined && known.guild_id !== guildId) {
    throw new WrongLedger(`this database holds the ledger of guild ${known.guild_id}, not of ${guildId}`);
  }
  return known !== undefined;
}

async function settleIdentity(kysely: Kysely<Tables>, guildId: string): Promise<void> {
  if (!(await refuseOthers(kysely, guildId))) {
    const identity = { guild_id: guildId, ledger_id: randomUUID() };
    await kysely.insertInto("ledger_identity").values(identity).execute();
    await sql`alter table event add constraint event_guild check (guild_id = ${sql.lit(guildId)})`.execute(
      kysely,
    );
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
