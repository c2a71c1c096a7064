import { randomInt } from "node:crypto";
import { databaseSettingsFromUrl } from "../../../bot/store/connection.ts";
import { openDatabase } from "../../../bot/store/database.ts";
import type { Database } from "../../../bot/store/database.ts";
import { openLedger } from "../../../bot/store/guild-ledger.ts";
import { claim } from "../../../bot/store/inbox.ts";
import { migrateToLatest } from "../../../bot/store/migrate.ts";
import type { GuildLedger } from "../../../bot/store/request.ts";
import type { PostgresServer, TestDatabase } from "../../postgres/server.ts";

export const guildId = "123456789012345678";
export const officer = { discordId: "200000000000000001", name: "Officer" };

/** A Discord account of a test, by number. */
export function account(number: number): { discordId: string; name: string } {
  return { discordId: `3000000000000${String(number).padStart(5, "0")}`, name: `Player ${number}` };
}

/** A database with the schema, opened as the bot's role. */
export async function migratedDatabase(
  server: PostgresServer,
  options: { poolMax?: number; commandTimeoutMs?: number } = {},
): Promise<{ database: Database; names: TestDatabase; open(): Database }> {
  const names = await server.createDatabase();
  const owner = openDatabase(databaseSettingsFromUrl(names.ownerUrl, { ...pool, sslMode: "disable" }));
  await migrateToLatest(owner, { guildId, runtimeRole: "dkp_bot" });
  await owner.close();
  const open = (): Database =>
    openDatabase(
      databaseSettingsFromUrl(names.botUrl, {
        ...pool,
        sslMode: "disable",
        poolMax: options.poolMax ?? pool.poolMax,
        commandTimeoutMs: options.commandTimeoutMs ?? pool.commandTimeoutMs,
      }),
    );
  return { database: open(), names, open };
}

const pool = { poolMin: 1, poolMax: 10, commandTimeoutMs: 60_000 };

/** A ledger on a database, as one replica opens it. */
export async function replicaOn(database: Database): Promise<GuildLedger & { readonly replica: number }> {
  const replica = randomInt(1, 2 ** 31 - 1);
  const ledger = await openLedger({ database, guildId, replica: { id: replica } });
  return { ...ledger, replica };
}

/** Claims an interaction for a replica and returns what `execute` needs; fails when another one has it. */
export async function claimed(
  database: Database,
  replica: number,
  interactionId: string,
): Promise<{ id: string; epoch: number }> {
  const arrival = { interactionId, payload: {}, token: "t", replica, receivedAtMs: Date.now() };
  const claimed = await claim(database, arrival, { timeoutMs: 10_000 });
  if (!claimed.claimed) {
    throw new Error(`interaction ${interactionId} is claimed by another replica`);
  }
  return { id: interactionId, epoch: claimed.epoch };
}
