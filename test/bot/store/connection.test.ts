import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { credentials, databaseSettingsFromUrl } from "../../../bot/store/connection.ts";
import { openDatabase } from "../../../bot/store/database.ts";
import { credentialsWatch } from "../../../bot/store/rotation.ts";
import { logger } from "../../../runtime/log.ts";
import { startPostgres, type PostgresServer } from "../../postgres/server.ts";
import { migratedDatabase, replicaOn } from "./guild.ts";

const pool = { poolMin: 0, poolMax: 4, commandTimeoutMs: 10_000 };
const nowhere = { ...pool, sslMode: "verify-full", host: "", port: 5432, database: "" } as const;
const log = logger({ level: "silent", format: "json", name: "test" });

let server: PostgresServer;
let folder: string;
let urlFile: string;
beforeAll(async () => {
  server = await startPostgres({ tls: true });
  folder = mkdtempSync(join(tmpdir(), "dkp-connection-"));
  urlFile = join(folder, "url");
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe("a connection string in a file", () => {
  test.each([
    ["", /must ask for TLS/],
    ["?sslmode=disable", /must ask for TLS/],
    ["?sslmode=prefer", /must ask for TLS/],
    ["?sslmode=verify-full", /certificate/i],
    ["?sslmode=require", undefined],
    ["?sslmode=verify-full&sslrootcert=CA", undefined],
    ["?sslmode=verify-ca&sslrootcert=CA", undefined],
  ])("with %s: %s", async (query, problem) => {
    const { name } = await server.createDatabase();
    writeFileSync(urlFile, `${server.url(name)}${query.replace("CA", server.caFile ?? "")}\n`);
    const database = openDatabase({ ...nowhere, urlFile });
    const asked = database.pool.query("select current_database() as name");
    await (problem === undefined
      ? expect(asked).resolves.toMatchObject({ rows: [{ name }] })
      : expect(asked).rejects.toThrow(problem));
    await database.close();
  });

  test("is verified by the authority's file, and by the one that is mounted beside it", async () => {
    const { name } = await server.createDatabase();
    writeFileSync(urlFile, `${server.url(name)}?sslmode=verify-full`);
    const caFile = server.caFile ?? "";
    const beside = join(folder, "ca.crt");
    const named = openDatabase({ ...nowhere, caFile, urlFile });
    await expect(named.pool.query("select 1")).resolves.toMatchObject({ rowCount: 1 });
    await named.close();
    copyFileSync(caFile, beside);
    const found = openDatabase({ ...nowhere, urlFile });
    await expect(found.pool.query("select 1")).resolves.toMatchObject({ rowCount: 1 });
    await found.close();
    rmSync(beside);
  });

  test("may do without TLS while developing only", () => {
    writeFileSync(urlFile, "postgres://dkp@db/dkp?sslmode=disable");
    expect(() => credentials({ ...nowhere, urlFile })).toThrow(/must ask for TLS/);
    expect(credentials({ ...nowhere, urlFile, plaintext: true })).toMatch(/^[0-9a-f]{64}$/);
  });

  test.each([
    "not a url hunter2",
    "mysql://dkp:hunter2@db/dkp?sslmode=require",
    "postgres://dkp:hunter2@db:1,db:2/dkp?sslmode=require",
    "postgres://dkp:hunter2%@db/dkp?sslmode=require",
    "postgres:///dkp?sslmode=require&password=hunter2",
  ])("that is not one is refused in words that do not show it: %s", (url) => {
    try {
      databaseSettingsFromUrl(url, pool);
      expect.unreachable();
    } catch (error) {
      expect(String(error)).toMatch(/database URL/);
      expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain("hunter2");
    }
  });
});

describe("a connection string that leads to another ledger one day", () => {
  test("is refused for every new connection, and taken again once it is put back", async () => {
    const plain = await startPostgres();
    const [ours, others] = [await migratedDatabase(plain), await migratedDatabase(plain)];
    writeFileSync(urlFile, `${ours.names.botUrl}?sslmode=disable`);
    const database = openDatabase({ ...nowhere, urlFile, plaintext: true });
    const ledger = await replicaOn(database);
    writeFileSync(urlFile, `${others.names.botUrl}?sslmode=disable`);
    await database.pool.query("select pg_terminate_backend(pg_backend_pid())").catch(() => undefined);
    await expect(database.pool.query("select 1")).rejects.toMatchObject({ name: "WrongLedger" });
    await expect(database.connect()).rejects.toMatchObject({ name: "WrongLedger" });
    expect((await others.database.pool.query("select 1 from event")).rows).toEqual([]);
    writeFileSync(urlFile, `${ours.names.botUrl}?sslmode=disable`);
    await expect(database.pool.query("select 1 from event")).resolves.toMatchObject({ rowCount: 1 });
    await ledger.close();
    await Promise.all([database, ours.database, others.database].map((one) => one.close()));
    await plain.stop();
  });
});

describe("rotated credentials", () => {
  test("renew every connection once PostgreSQL takes them, and none before", async () => {
    const { name } = await server.createDatabase();
    const url = (password: string) =>
      server
        .url(name, "dkp_bot")
        .replace(/:[^:@]+@/, `:${password}@`)
        .concat("?sslmode=require");
    const old = new URL(server.url(name, "dkp_bot")).password;
    writeFileSync(urlFile, url(old));
    const database = openDatabase({ ...nowhere, urlFile });
    const look = credentialsWatch(database, log);
    await look();
    const pids = async () => {
      const { rows } = await database.pool.query<{ pid: number }>("select pg_backend_pid() as pid");
      return rows[0]?.pid;
    };
    const before = await pids();
    const busy = await database.pool.connect();
    const idle = await pids();
    writeFileSync(urlFile, url("another"));
    // The file is ahead of the role: what is connected goes on.
    await expect(look()).rejects.toMatchObject({ code: "28P01" });
    expect(await pids()).toBe(idle);
    const admin = openDatabase(
      databaseSettingsFromUrl(server.adminUrl(name), { ...pool, sslMode: "require" }),
    );
    await admin.pool.query("alter role dkp_bot password 'another'");
    await look();
    const renewed = await pids();
    expect([before, idle]).not.toContain(renewed);
    busy.release();
    await look();
    expect(database.pool.totalCount).toBe(1);
    expect(await pids()).toBe(renewed);
    await admin.pool.query(`alter role dkp_bot password '${old}'`);
    await admin.close();
    await database.close();
  });
});
