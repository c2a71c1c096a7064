import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databaseSettingsFromUrl } from "../../../bot/store/connection.ts";
import { openDatabase, type Database } from "../../../bot/store/database.ts";
import { migrateToLatest, ownerRemark } from "../../../bot/store/migrate.ts";
import { startPostgres, type PostgresServer, type TestDatabase } from "../../postgres/server.ts";
import { guildId, replicaOn } from "./guild.ts";

const plain = { poolMin: 0, poolMax: 2, commandTimeoutMs: 10_000, sslMode: "disable" } as const;

let server: PostgresServer;
let names: TestDatabase;
let owner: Database;
let admin: pg.Client;

beforeAll(async () => {
  server = await startPostgres();
  names = await server.createDatabase();
  owner = openDatabase(databaseSettingsFromUrl(names.ownerUrl, plain));
  admin = new pg.Client({ connectionString: server.adminUrl(names.name) });
  await admin.connect();
  // As a managed role of CloudNativePG would be: the owner has no say over it.
  await admin.query("create role dev_reader login password 'd'");
  await admin.query("create role stranger login password 's'");
  await admin.query(`grant connect, temporary on database ${names.name} to public`);
  await admin.query("grant create on schema public to public");
});

afterAll(async () => {
  await owner.close();
  await admin.end();
  await server.stop();
});

/** The SQLSTATE that a statement of a role ends with; undefined when it is carried out. */
async function refused(role: string, password: string, statement: string): Promise<string | undefined> {
  const url = new URL(server.adminUrl(names.name));
  url.username = role;
  url.password = password;
  const client = new pg.Client({ connectionString: url.href });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.query(statement);
    return undefined;
  } catch (error) {
    return (error as { code: string }).code;
  } finally {
    await client.end();
  }
}

const noRight = "42501";
const developer = (statement: string) => refused("dev_reader", "d", statement);

describe("who may do what in the database", () => {
  test("PUBLIC loses its way in and its right to make tables; the bot's role keeps its own", async () => {
    expect(await refused("stranger", "s", "create table mine (x integer)")).toBeUndefined();
    await migrateToLatest(owner, { guildId, runtimeRole: "dkp_bot" });
    expect(await refused("stranger", "s", "select 1")).toBe(noRight);
    const bot = openDatabase(databaseSettingsFromUrl(names.botUrl, plain));
    await (await replicaOn(bot)).close();
    expect(await ownerRemark(bot)).toBeUndefined();
    await bot.close();
  });

  test("a developer reads what is not personal, and writes nothing", async () => {
    const { remarks } = await migrateToLatest(owner, {
      guildId,
      runtimeRole: "dkp_bot",
      developer: { role: "dev_reader", access: "readOnly" },
    });
    expect(remarks).toEqual([expect.stringContaining("may not change dev_reader")]);
    for (const table of ["event", "stream", "balance", "auction", "bid", "history", "reversal"]) {
      expect(await developer(`select * from ${table}`), table).toBeUndefined();
    }
    for (const table of ["identity", "free_text", "inbox", "outbox"]) {
      expect(await developer(`select * from ${table}`), table).toBe(noRight);
    }
    expect(await developer("delete from balance")).toBe(noRight);
    expect(await developer("create schema mine")).toBe(noRight);
  });

  test("whose sessions are read-only by default where the owner may say so", async () => {
    await admin.query("alter role dkp createrole");
    await admin.query("grant dev_reader to dkp with admin option");
    const options = {
      guildId,
      runtimeRole: "dkp_bot",
      developer: { role: "dev_reader", access: "readOnly" },
    } as const;
    expect((await migrateToLatest(owner, options)).remarks).toEqual([]);
    expect(await developer("create temporary table t (x integer)")).toBe("25006");
    await admin.query("alter role dkp nocreaterole");
    await admin.query("alter role dev_reader reset all");
    await admin.query("revoke dev_reader from dkp");
  });

  test("a developer with a schema of their own keeps tables in it, and loses the rest with the declaration", async () => {
    const { remarks } = await migrateToLatest(owner, {
      guildId,
      runtimeRole: "dkp_bot",
      developer: { role: "dev_reader", access: "devSchema" },
    });
    expect(remarks).toEqual([expect.stringContaining("no member of dev_reader")]);
    expect(await developer("create table dev.notes as select * from balance")).toBeUndefined();
    expect(await developer("create table notes (x integer)")).toBe(noRight);
    // Nobody names the role any more.
    await migrateToLatest(owner, { guildId, runtimeRole: "dkp_bot" });
    expect(await developer("select 1")).toBe(noRight);
    const { rows } = await admin.query(
      `select has_table_privilege('dev_reader', 'event', 'select') as events,
         has_schema_privilege('dev_reader', 'public', 'create') as makes, to_regclass('dev.notes')::text as notes`,
    );
    expect(rows).toEqual([{ events: false, makes: false, notes: "dev.notes" }]);
  });

  test("a role that is only taken its access is named without one", async () => {
    const given = { guildId, developer: { role: "dev_reader", access: "readOnly" } } as const;
    await migrateToLatest(owner, given);
    expect(await developer("select * from balance")).toBeUndefined();
    await migrateToLatest(owner, { guildId, developer: { role: "dev_reader", access: undefined } });
    expect(await developer("select * from balance")).toBe(noRight);
  });

  test("an owner that runs the bot itself keeps its rights, and is told what that means", async () => {
    const { remarks } = await migrateToLatest(owner, { guildId, runtimeRole: "dkp" });
    expect(remarks).toEqual([expect.stringContaining("as the owner of its tables")]);
    expect(await ownerRemark(owner)).toBe(remarks[0]);
    await expect(owner.pool.query("update stream set leader = leader")).resolves.toMatchObject({
      rowCount: 1,
    });
  });

  test("a database that a newer version migrated is left exactly as it is", async () => {
    await owner.pool.query("insert into kysely_migration (name, timestamp) values ('0999-newer', 'later')");
    const grants =
      "select relname, relacl::text from pg_class where relnamespace = 'public'::regnamespace order by 1";
    const before = (await admin.query(grants)).rows;
    const options = {
      guildId,
      runtimeRole: "dkp_bot",
      developer: { role: "dev_reader", access: "readOnly" },
    } as const;
    expect(await migrateToLatest(owner, options)).toEqual({
      applied: [],
      ahead: ["0999-newer"],
      remarks: [],
    });
    expect((await admin.query(grants)).rows).toEqual(before);
    await expect(migrateToLatest(owner, { guildId: "999999999999999999" })).rejects.toMatchObject({
      name: "WrongLedger",
    });
  });
});
