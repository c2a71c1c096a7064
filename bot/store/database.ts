import { Socket } from "node:net";
import { callbackify } from "node:util";
import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { clientConfig, credentials } from "./connection.ts";
import type { DatabaseSettings } from "./connection.ts";
import { WrongLedger, isUnheard } from "./failure.ts";
import type { Tables } from "./tables.ts";

export type Database = {
  readonly settings: DatabaseSettings;
  readonly pool: pg.Pool;
  readonly kysely: Kysely<Tables>;
  /** Opens the minimum of connections; fails if there is no database. */
  warm(): Promise<void>;
  /** A connection of its own, outside the pool and without a statement timeout; the caller ends it. */
  connect(): Promise<pg.Client>;
  /**
   * Makes every further connection prove that it leads to this ledger: a mounted connection string may lead elsewhere
   * one day. Those that do not fail with WrongLedger.
   */
  expectLedger(ledgerId: string): void;
  /** Closes connections made with other credentials than `current` as soon as they are idle; answers how many are left. */
  retire(current: string): Promise<number>;
  close(): Promise<void>;
};

/** Opens nothing yet: connections are made when they are needed, and again after they were lost. */
export function openDatabase(settings: DatabaseSettings): Database {
  const made = new WeakMap<object, string>();
  const identity = ledgerCheck(settings);
  const living = new Set<pg.PoolClient>();
  const pool = new pg.Pool({
    min: settings.poolMin,
    max: settings.poolMax,
    idleTimeoutMillis: 30_000,
    connectionTimeoutMillis: settings.connectTimeoutMs ?? 5_000,
    Client: clientClass(settings, made),
    verify: callbackify((client: pg.PoolClient) => identity.check(client)),
  });
  // A connection that breaks while idle is replaced by the next query; whoever waits for one sees the error itself.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => living.add(client));
  pool.on("remove", (client) => living.delete(client));
  const kysely = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  return {
    settings,
    pool,
    kysely,
    async warm() {
      const clients = await Promise.allSettled(
        Array.from({ length: Math.max(1, settings.poolMin) }, () => pool.connect()),
      );
      for (const client of clients) {
        if (client.status === "fulfilled") {
          client.value.release();
        }
      }
      const failed = clients.find(({ status }) => status === "rejected");
      if (failed?.status === "rejected") {
        throw new Error("the database cannot be reached", { cause: failed.reason });
      }
    },
    async connect() {
      const client = new pg.Client({
        ...clientConfig(settings),
        connectionTimeoutMillis: 5_000,
        statement_timeout: 0,
        query_timeout: settings.commandTimeoutMs,
      });
      client.on("error", () => undefined);
      await client.connect();
      await identity.check(client).catch(async (error: unknown) => {
        await client.end();
        throw error;
      });
      return client;
    },
    expectLedger: (ledgerId) => identity.expect(ledgerId),
    async retire(current) {
      const stale = (client: pg.PoolClient): boolean => made.get(client) !== current;
      if ([...living].some(stale)) {
        // Idle ones now; those in use are idle at the next call.
        const idle = await Promise.all(Array.from({ length: pool.idleCount }, () => pool.connect()));
        idle.forEach((client) => client.release(stale(client)));
      }
      return [...living].filter(stale).length;
    },
    close: () => kysely.destroy(),
  };
}

/** Only a connection string in a file can lead to another database while the bot runs. */
function ledgerCheck({ urlFile }: DatabaseSettings) {
  let expected: string | undefined;
  return {
    expect: (ledgerId: string): void => void (expected = ledgerId),
    async check(client: pg.ClientBase): Promise<void> {
      if (urlFile === undefined || expected === undefined) {
        return;
      }
      const { rows } = await client.query<{ ledger_id: string }>("select ledger_id from ledger_identity");
      if (rows[0]?.ledger_id !== expected) {
        throw new WrongLedger(
          "the database URL leads to another ledger than before: put the former one back, or restart the bot if this is meant",
        );
      }
    },
  };
}

/** pg-pool makes clients with `new`; a class is the one place where it lets us look at the files again. */
function clientClass(
  settings: DatabaseSettings,
  made: WeakMap<object, string>,
): new (config?: pg.ClientConfig) => pg.Client {
  return class extends pg.Client {
    constructor(config?: pg.ClientConfig) {
      super({ ...config, ...configOrFault(settings) });
      // A connection may break between a query and its way back into the pool, when nobody else listens.
      this.on("error", () => undefined);
      made.set(this, credentialsOrNone(settings));
      endWhenUnheard(this);
    }
  };
}

/**
 * Ends a connection whose query was given up while the server still had it. pg-pool does so itself; Kysely puts the connection back
 * whatever became of its query, and the next one would wait behind it.
 */
function endWhenUnheard(client: pg.Client): void {
  const query = client.query.bind(client) as (...given: unknown[]) => unknown;
  client.query = ((...given: unknown[]) => {
    const answer = query(...given);
    if (answer instanceof Promise) {
      answer.catch((error: unknown) => (isUnheard(error) ? client.end() : undefined)).catch(() => undefined);
    }
    return answer;
  }) as pg.Client["query"];
}

/**
 * A file that cannot be read fails the connection and nothing else: pg-pool makes clients on its own time too, where an
 * exception has nobody to catch it and would end the process.
 */
function configOrFault(settings: DatabaseSettings): pg.ClientConfig {
  try {
    return clientConfig(settings);
  } catch (error) {
    const fault = error instanceof Error ? error : new Error(String(error));
    return { stream: () => brokenSocket(fault) };
  }
}

function credentialsOrNone(settings: DatabaseSettings): string {
  try {
    return credentials(settings);
  } catch {
    return "";
  }
}

function brokenSocket(fault: Error): Socket {
  const socket = new Socket();
  socket.connect = () => socket.destroy(fault);
  return socket;
}
