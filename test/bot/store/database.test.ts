import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { databaseSettingsFromUrl } from "../../../bot/store/connection.ts";
import { openDatabase } from "../../../bot/store/database.ts";
import { openLedger } from "../../../bot/store/guild-ledger.ts";
import { migrateToLatest, pendingMigrations } from "../../../bot/store/migrate.ts";
import { verifyChain } from "../../../bot/store/verify-chain.ts";
import { certificateAuthority } from "../../cluster/authority.ts";
import type { PostgresServer } from "../../postgres/server.ts";
import { startPostgres } from "../../postgres/server.ts";
import { guildId, migratedDatabase, replicaOn } from "./guild.ts";

const pool = { poolMin: 2, poolMax: 4, commandTimeoutMs: 10_000 };
const plain = { ...pool, sslMode: "disable" } as const;

let server: PostgresServer;
let folder: string;
beforeAll(async () => {
  server = await startPostgres({ tls: true, settings: { listen_addresses: "127.0.0.1,127.0.0.2" } });
  folder = mkdtempSync(join(tmpdir(), "dkp-database-"));
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe("TLS to the database", () => {
  test.each([
    { sslMode: "verify-full", host: "127.0.0.1", ca: "right", problem: undefined },
    { sslMode: "verify-full", host: "localhost", ca: "right", problem: undefined },
    { sslMode: "verify-full", host: "127.0.0.2", ca: "right", problem: /does not match|altnames/i },
    { sslMode: "verify-full", host: "127.0.0.1", ca: "wrong", problem: /certificate/i },
    { sslMode: "verify-full", host: "127.0.0.1", ca: "none", problem: /certificate/i },
    { sslMode: "verify-ca", host: "127.0.0.2", ca: "right", problem: undefined },
    { sslMode: "verify-ca", host: "127.0.0.1", ca: "wrong", problem: /certificate/i },
    { sslMode: "require", host: "127.0.0.1", ca: "none", problem: undefined },
    { sslMode: "disable", host: "127.0.0.1", ca: "none", problem: /no encryption|pg_hba/i },
  ] as const)(
    "$sslMode to $host with the $ca authority: $problem",
    async ({ sslMode, host, ca, problem }) => {
      const wrong = join(folder, "wrong.crt");
      writeFileSync(wrong, (await certificateAuthority("another authority")).certificate);
      const caFile = ca === "right" ? server.caFile : ca === "wrong" ? wrong : undefined;
      const { name } = await server.createDatabase();
      const settings = databaseSettingsFromUrl(server.url(name), {
        ...pool,
        sslMode,
        ...(caFile === undefined ? {} : { caFile }),
      });
      // The certificate names localhost and 127.0.0.1; 127.0.0.2 stands for a server with another name.
      const database = openDatabase({ ...settings, host });
      const asked = sql<{ ssl: boolean }>`select ssl from pg_stat_ssl where pid = pg_backend_pid()`;
      const answer = asked.execute(database.kysely).then(({ rows }) => rows[0]?.ssl);
      await (problem === undefined
        ? expect(answer).resolves.toBe(true)
        : expect(answer).rejects.toThrow(problem));
      await database.close();
    },
  );
});

describe("the pool", () => {
  test("opens the minimum at the start and never more than the maximum", async () => {
    const { name } = await server.createDatabase();
    const database = openDatabase(databaseSettingsFromUrl(server.url(name), { ...pool, sslMode: "require" }));
    await database.warm();
    expect(database.pool.totalCount).toBe(2);
    await Promise.all(Array.from({ length: 20 }, () => sql`select pg_sleep(0.01)`.execute(database.kysely)));
    expect(database.pool.totalCount).toBe(4);
    await database.close();
  });

  test("reads credentials again for each connection, so that a rotated password is picked up", async () => {
    const { name, ownerUrl } = await server.createDatabase();
    const { password = "", ...settings } = databaseSettingsFromUrl(ownerUrl, { ...pool, sslMode: "require" });
    const passwordFile = join(folder, "password");
    writeFileSync(passwordFile, "wrong\n");
    const database = openDatabase({ ...settings, passwordFile });
    await expect(database.warm()).rejects.toMatchObject({ cause: { code: "28P01" } });
    writeFileSync(passwordFile, `${password}\n`);
    await database.warm();
    expect(database.settings.database).toBe(name);
    await database.close();
  });

  test("fails a connection, not the process, while credentials cannot be read", async () => {
    const { ownerUrl } = await server.createDatabase();
    const { password = "", ...settings } = databaseSettingsFromUrl(ownerUrl, { ...pool, sslMode: "require" });
    const passwordFile = join(folder, "vanishing");
    writeFileSync(passwordFile, password);
    const database = openDatabase({ ...settings, passwordFile, poolMin: 0, poolMax: 1 });
    await database.warm();
    rmSync(passwordFile);
    const ended = database.pool.query("select pg_terminate_backend(pg_backend_pid())");
    const waiting = database.pool.query("select 1");
    await expect(ended).rejects.toMatchObject({ code: "57P01" });
    await expect(waiting).rejects.toMatchObject({ code: "ENOENT" });
    writeFileSync(passwordFile, password);
    await expect(database.pool.query("select 1")).resolves.toMatchObject({ rowCount: 1 });
    await database.close();
  });

  test("drops a connection on which the server fell silent, so that nobody waits behind it", async () => {
    const { name } = await server.createDatabase();
    const impatient = { poolMin: 0, poolMax: 1, commandTimeoutMs: 200, sslMode: "require" } as const;
    const database = openDatabase(databaseSettingsFromUrl(server.url(name), impatient));
    const backend = async (): Promise<number> => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(database.kysely);
      return rows[0]?.pid ?? 0;
    };
    const silent = await backend();
    process.kill(silent, "SIGSTOP");
    try {
      await expect(backend()).rejects.toThrow("Query read timeout");
      expect(await backend()).not.toBe(silent);
    } finally {
      process.kill(silent, "SIGCONT");
    }
    await database.close();
  });

  test("comes back after its server was restarted", async () => {
    const { ownerUrl } = await server.createDatabase();
    const database = openDatabase(databaseSettingsFromUrl(ownerUrl, { ...pool, sslMode: "require" }));
    await database.warm();
    await server.restart();
    await vi.waitFor(() => sql`select 1`.execute(database.kysely), { timeout: 10_000 });
    await database.close();
  });
});

describe("migrations", () => {
  let unencrypted: PostgresServer;
  beforeAll(async () => {
    unencrypted = await startPostgres();
  });
  afterAll(() => unencrypted.stop());

  test("run once when several start at once, and say what is pending", async () => {
    const { ownerUrl } = await unencrypted.createDatabase();
    const databases = [1, 2, 3].map(() => openDatabase(databaseSettingsFromUrl(ownerUrl, plain)));
    const [database] = databases;
    if (database === undefined) {
      throw new Error("no database");
    }
    expect(await pendingMigrations(database)).toEqual(["0001-ledger"]);
    const runs = await Promise.all(
      databases.map((one) => migrateToLatest(one, { guildId, runtimeRole: "dkp_bot" })),
    );
    expect(runs.flatMap(({ applied }) => applied)).toEqual(["0001-ledger"]);
    expect(await pendingMigrations(database)).toEqual([]);
    await expect(migrateToLatest(database, { guildId: "999999999999999999" })).rejects.toMatchObject({
      name: "WrongLedger",
    });
    await expect(migrateToLatest(database, { guildId, runtimeRole: "nobody_here" })).rejects.toThrow(
      "nobody_here",
    );
    const other = { database, guildId: "999999999999999999", replica: { id: 1 } };
    await expect(openLedger(other)).rejects.toMatchObject({ name: "WrongLedger" });
    await Promise.all(databases.map((one) => one.close()));
  });

  test.each(["update event set body = 'x'", "delete from event", "truncate event"])(
    "nobody may %s: not the bot's role, not the owner",
    async (statement) => {
      const { database, names } = await migratedDatabase(unencrypted);
      await (await replicaOn(database)).close();
      const owner = new pg.Client({ connectionString: names.ownerUrl });
      await owner.connect();
      await expect(database.pool.query(statement)).rejects.toMatchObject({ code: "42501" });
      await expect(owner.query(statement)).rejects.toThrow("append-only");
      await owner.end();
      await database.close();
    },
  );

  test("the tables take events of this guild only, and the bot changes neither schema nor grants", async () => {
    const { database } = await migratedDatabase(unencrypted);
    const event = (guild: string, seq: number) =>
      database.pool.query(
        `insert into event (seq, guild_id, type, version, at, body, hash)
         values ($1, $2, 'x', 1, now(), '{}', decode(repeat('00', 32), 'hex'))`,
        [seq, guild],
      );
    await expect(event("999999999999999999", 1)).rejects.toMatchObject({ constraint: "event_guild" });
    for (const statement of [
      "drop trigger event_append_only on event",
      "alter table event disable trigger all",
      "create table mine (x integer)",
    ]) {
      await expect(database.pool.query(statement).then(({ command }) => command)).rejects.toThrow(
        /owner|permission denied|must be/,
      );
    }
    await database.close();
  });

  test("a tampered event breaks the chain where it is", async () => {
    const { database, names } = await migratedDatabase(unencrypted);
    const ledger = await replicaOn(database);
    for (const locale of ["de", "en", "pt-BR"]) {
      await ledger.execute({
        atMs: 1,
        actor: "git",
        command: { type: "setRules", source: "git", settings: { locale } },
      });
    }
    expect(await verifyChain(database, 2)).toMatchObject({ events: 4, brokenAt: undefined });
    const admin = new pg.Client({ connectionString: unencrypted.adminUrl(names.name) });
    await admin.connect();
    await admin.query("set session_replication_role = replica");
    await admin.query("update event set body = replace(body, 'en', 'fr') where seq = 3");
    expect(await verifyChain(database)).toMatchObject({ events: 2, brokenAt: 3 });
    await admin.query("delete from event where seq > 2");
    expect(await verifyChain(database)).toMatchObject({ events: 2, brokenAt: 3 });
    await admin.end();
    await database.close();
  });
});
