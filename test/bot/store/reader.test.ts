import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sql } from "kysely";
import type { Database } from "../../../bot/store/database.ts";
import { openReader, type Queried, type Reader } from "../../../bot/store/reader.ts";
import type { GuildLedger } from "../../../bot/store/request.ts";
import { logger } from "../../../runtime/log.ts";
import { startPostgres, type PostgresServer } from "../../postgres/server.ts";
import { startStandby, type Standby } from "../../postgres/standby.ts";
import { until } from "../house.ts";
import { account, migratedDatabase, officer, replicaOn } from "./guild.ts";

let server: PostgresServer;
let standby: Standby;
let database: Database;
let ledger: GuildLedger;
let reader: Reader;
const log = logger({ level: "silent", format: "json", name: "test" });

beforeAll(async () => {
  server = await startPostgres();
  const made = await migratedDatabase(server);
  database = made.database;
  ledger = await replicaOn(database);
  standby = await startStandby(server);
  // The Service of the standbys has the primary's port; here the port tells them apart.
  reader = openReader(
    { ...database, settings: { ...database.settings, readHost: "127.0.0.1", port: standby.port } },
    log,
  );
});

afterAll(async () => {
  await reader.close();
  await ledger.close();
  await database.close();
  await server.stop();
});

async function awarded(): Promise<number> {
  const { version } = await ledger.execute({
    command: (making) => ({
      type: "award",
      amount: 100n,
      members: [making.member(account(1))],
      confirmed: true,
    }),
    actor: officer,
    atMs: Date.now(),
  });
  return version;
}

/** Which server answers, and what it knows. */
async function asked({ kysely }: Queried): Promise<{ standby: boolean; version: number }> {
  const { rows } = await sql<{ standby: boolean; version: bigint }>`
    select pg_is_in_recovery() as standby, version from stream`.execute(kysely);
  return { standby: rows[0]?.standby === true, version: Number(rows[0]?.version) };
}

describe("what only reads", () => {
  test("goes to a standby that has what this replica knows, else to the primary", async () => {
    const version = await awarded();
    await until(async () => (await reader.read(version, asked)).standby);
    await standby.pauseReplay(true);
    const next = await awarded();
    expect(await reader.read(next, asked)).toEqual({ standby: false, version: next });
    // What was known before is still to be had from the standby.
    expect(await reader.read(version, asked)).toEqual({ standby: true, version });
    await standby.pauseReplay(false);
    await until(async () => (await reader.read(next, asked)).standby);
    await standby.stop();
    expect(await reader.read(next, asked)).toEqual({ standby: false, version: next });
  });
});
