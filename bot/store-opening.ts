import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../runtime/log.ts";
import type { Facts } from "./facts.ts";
import type { ConfiguredRestore } from "./ledger/command.ts";
import type { Database } from "./store/database.ts";
import { WrongLedger } from "./store/failure.ts";
import { openLedger } from "./store/guild-ledger.ts";
import { migrateToLatest, ownerRemark, pendingMigrations } from "./store/migrate.ts";
import { openPresence, type Presence } from "./store/presence.ts";
import type { GuildLedger } from "./store/request.ts";

export type Store = { database: Database; presence: Presence; ledger: GuildLedger };

/** Another guild's ledger does not become ours by asking again soon. */
const wrongLedgerRetryMs = 30_000;

/**
 * Opens the guild's ledger, however long the database takes to be there and migrated. What is wrong meanwhile is told by
 * `facts`. Rejects only when `signal` is aborted. `migrate` is for a bot that runs without an operator.
 */
export async function openStore(options: {
  database: Database;
  guildId: string;
  migrate: boolean;
  /** The restore that the configuration names now. */
  restore: () => ConfiguredRestore | undefined;
  facts: Facts;
  signal: AbortSignal;
  log: Logger;
}): Promise<Store> {
  const { facts, signal, log } = options;
  for (let delayMs = 250; ; delayMs = Math.min(delayMs * 2, 5000)) {
    signal.throwIfAborted();
    try {
      const store = await open(options);
      facts.setLedger(store.ledger, options.restore);
      facts.setDatabase({ state: "Ok", message: "" });
      return store;
    } catch (error) {
      const wrong = error instanceof WrongLedger;
      const message = error instanceof Error ? error.message : String(error);
      log.debug({ err: error }, "the ledger could not be opened");
      facts.setDatabase({ state: wrong ? "WrongLedger" : "Unreachable", message: message.slice(0, 500) });
      await sleep(wrong ? wrongLedgerRetryMs : delayMs, undefined, { signal });
    }
  }
}

async function open({
  database,
  guildId,
  migrate,
  restore,
  log,
}: {
  database: Database;
  guildId: string;
  migrate: boolean;
  restore: () => ConfiguredRestore | undefined;
  log: Logger;
}): Promise<Store> {
  const pending = await pendingMigrations(database);
  if (pending.length > 0 && !migrate) {
    throw new Error(
      `The database is not migrated yet (${pending.join(", ")}): run "db migrate" as its owner.`,
    );
  }
  if (pending.length > 0) {
    const { applied } = await migrateToLatest(database, { guildId });
    log.info({ applied }, "the database was migrated");
  }
  const remark = await ownerRemark(database);
  if (remark !== undefined) {
    log.warn(remark);
  }
  let opened: GuildLedger | undefined;
  const presence = await openPresence(database, {
    onNotified: (version) => {
      opened
        ?.catchUp(version)
        .catch((error: unknown) => log.debug({ err: error }, "catching up after a notification"));
    },
  });
  try {
    const ledger = await openLedger({
      database,
      guildId,
      replica: presence,
      restore,
      warn: (fields, text) => log.warn(fields, text),
    });
    opened = ledger;
    return { database, presence, ledger };
  } catch (error) {
    await presence.close();
    throw error;
  }
}
