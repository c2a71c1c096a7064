import { sql } from "kysely";
import type { Kysely } from "kysely";
import { sqlState } from "./failure.ts";
import type { Tables } from "./tables.ts";

const insufficientPrivilege = "42501";

/** What people may do with the guild's database besides the bot: look, or also keep tables of their own in a schema `dev`. */
export type DeveloperAccess = {
  readonly role: string;
  readonly access: "readOnly" | "devSchema" | undefined;
};

/**
 * What a developer may read. Never the inbox and the outbox, which hold payloads and tokens, and never the tables of
 * names and free text, which can be erased and of which no copy may stay anywhere.
 */
const readable: readonly (keyof Tables)[] = [
  "ledger_identity",
  "stream",
  "event",
  "balance",
  "auction",
  "bid",
  "history",
  "reversal",
  "message",
  "identify_turn",
];

/** Notes on a table of ours who has access, so that it can be taken again when nobody names the role any more. */
const notePrefix = "developer role: ";

/** CloudNativePG's own roles that log in to any database. */
const platformRoles = ["cnpg_pooler_pgbouncer", "cnpg_metrics_exporter"];

/**
 * Lets nobody but the named roles into the database: in a server that guilds share, PUBLIC would let each guild's role
 * log in to the others' databases. Done by the database's owner only; another role has no say in it.
 */
export async function closeToPublic(kysely: Kysely<Tables>, roles: readonly string[]): Promise<void> {
  const { rows } = await sql<{ name: string; owns: boolean }>`
    select datname as name, pg_has_role(current_user, datdba, 'member') as owns
    from pg_database where datname = current_database()`.execute(kysely);
  const [database] = rows;
  if (database?.owns !== true) {
    return;
  }
  const name = sql.id(database.name);
  await sql`revoke connect, temporary on database ${name} from public`.execute(kysely);
  await sql`revoke create on schema public from public`.execute(kysely);
  const known = await sql<{ rolname: string }>`
    select rolname from pg_roles where rolname = any(${[...roles, ...platformRoles]})`.execute(kysely);
  for (const { rolname } of known.rows) {
    await sql`grant connect on database ${name} to ${sql.id(rolname)}`.execute(kysely);
  }
}

/**
 * Gives a role for people exactly the access that is declared, and takes it from the one that had it before.
 * @returns sentences about what the owner was not allowed to do
 */
export async function settleDeveloper(
  kysely: Kysely<Tables>,
  developer: DeveloperAccess | undefined,
): Promise<string[]> {
  const before = await noted(kysely);
  const granted = developer?.access === undefined ? undefined : developer.role;
  const former = new Set([before, developer?.role].filter((role) => role !== undefined));
  for (const role of former) {
    await revokeFrom(kysely, role);
  }
  if (granted !== before) {
    const note = granted === undefined ? sql`null` : sql.lit(`${notePrefix}${granted}`);
    await sql`comment on table ledger_identity is ${note}`.execute(kysely);
  }
  return granted === undefined ? [] : grantAccess(kysely, granted, developer?.access === "devSchema");
}

async function noted(kysely: Kysely<Tables>): Promise<string | undefined> {
  const { rows } = await sql<{ note: string | null }>`
    select obj_description('ledger_identity'::regclass, 'pg_class') as note`.execute(kysely);
  const note = rows[0]?.note ?? "";
  return note.startsWith(notePrefix) ? note.slice(notePrefix.length) : undefined;
}

async function grantAccess(kysely: Kysely<Tables>, role: string, ownSchema: boolean): Promise<string[]> {
  if (!(await exists(kysely, role))) {
    throw new Error(`the database has no role ${role}: create it, then migrate again`);
  }
  const grantee = sql.id(role);
  await sql`grant usage on schema public to ${grantee}`.execute(kysely);
  for (const table of readable) {
    await sql`grant select on ${sql.table(table)} to ${grantee}`.execute(kysely);
  }
  if (ownSchema) {
    return ownedSchema(kysely, role);
  }
  const done = await tried(kysely, sql`alter role ${grantee} set default_transaction_read_only = on`);
  return done
    ? []
    : [
        `The owner may not change ${role}: its sessions are not read-only by default, only by what it may do.`,
      ];
}

async function ownedSchema(kysely: Kysely<Tables>, role: string): Promise<string[]> {
  const grantee = sql.id(role);
  const made = await tried(kysely, sql`create schema if not exists dev authorization ${grantee}`);
  if (made) {
    return [];
  }
  // Whoever is not a member of a role cannot make it an owner.
  await sql`create schema if not exists dev`.execute(kysely);
  await sql`grant usage, create on schema dev to ${grantee}`.execute(kysely);
  return [`The owner is no member of ${role}: the schema dev is its to use, and not its own.`];
}

/** Takes everything away but the tables in `dev`, which are the developer's work. */
async function revokeFrom(kysely: Kysely<Tables>, role: string): Promise<void> {
  if (!(await exists(kysely, role))) {
    return;
  }
  const grantee = sql.id(role);
  for (const table of readable) {
    await sql`revoke all on ${sql.table(table)} from ${grantee}`.execute(kysely);
  }
  await sql`revoke all on schema public from ${grantee}`.execute(kysely);
  await tried(kysely, sql`revoke connect on database ${sql.id(await databaseName(kysely))} from ${grantee}`);
  await tried(kysely, sql`alter role ${grantee} reset default_transaction_read_only`);
}

async function databaseName(kysely: Kysely<Tables>): Promise<string> {
  const { rows } = await sql<{ name: string }>`select current_database() as name`.execute(kysely);
  return rows[0]?.name ?? "";
}

async function exists(kysely: Kysely<Tables>, role: string): Promise<boolean> {
  const { rows } = await sql`select 1 from pg_roles where rolname = ${role}`.execute(kysely);
  return rows.length > 0;
}

/** Runs a statement that the owner may lack the right to; within the transaction that goes on either way. */
async function tried(kysely: Kysely<Tables>, statement: ReturnType<typeof sql>): Promise<boolean> {
  await sql`savepoint tried`.execute(kysely);
  try {
    await statement.execute(kysely);
    await sql`release savepoint tried`.execute(kysely);
    return true;
  } catch (error) {
    await sql`rollback to savepoint tried`.execute(kysely);
    if (sqlState(error) !== insufficientPrivilege) {
      throw error;
    }
    return false;
  }
}
