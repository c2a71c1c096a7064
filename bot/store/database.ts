import { readFileSync } from "node:fs";
import { Socket } from "node:net";
import { checkServerIdentity } from "node:tls";
import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import type { Tables } from "./tables.ts";

type SslMode = "disable" | "require" | "verify-ca" | "verify-full";

/** Where the database is. A `…File` is read again for every new connection, so that rotated secrets are picked up. */
export type DatabaseSettings = {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user?: string;
  readonly userFile?: string;
  readonly password?: string;
  readonly passwordFile?: string;
  readonly sslMode: SslMode;
  readonly caFile?: string;
  /** Connections kept open while idle, and opened by `warm`. */
  readonly poolMin: number;
  readonly poolMax: number;
  /** How long a statement may take, and how long a command waits for a database that is away. */
  readonly commandTimeoutMs: number;
  /** Shown in pg_stat_activity. */
  readonly applicationName?: string;
};

export type Database = {
  readonly settings: DatabaseSettings;
  readonly pool: pg.Pool;
  readonly kysely: Kysely<Tables>;
  /** Opens the minimum of connections; fails if there is no database. */
  warm(): Promise<void>;
  /** A connection of its own, outside the pool and without a statement timeout; the caller ends it. */
  connect(): Promise<pg.Client>;
  close(): Promise<void>;
};

/** Opens nothing yet: connections are made when they are needed, and again after they were lost. */
export function openDatabase(settings: DatabaseSettings): Database {
  const pool = new pg.Pool({
    min: settings.poolMin,
    max: settings.poolMax,
    idleTimeoutMillis: 30_000,
    connectionTimeoutMillis: 5_000,
    Client: clientClass(settings),
  });
  // A connection that breaks while idle is replaced by the next query; whoever waits for one sees the error itself.
  pool.on("error", () => undefined);
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
      return client;
    },
    close: () => kysely.destroy(),
  };
}

/** Reads postgres://user:password@host:port/database?sslmode=…&sslrootcert=…; the rest comes from `others`. */
export function databaseSettingsFromUrl(
  url: string,
  others: Pick<DatabaseSettings, "poolMin" | "poolMax" | "commandTimeoutMs"> &
    Partial<Pick<DatabaseSettings, "sslMode" | "caFile" | "applicationName">>,
): DatabaseSettings {
  const parsed = new URL(url);
  const { sslMode, caFile, ...rest } = others;
  const named = parsed.searchParams.get("sslmode");
  const mode = named === null ? sslMode : sslModes.find((known) => known === named);
  const ca = parsed.searchParams.get("sslrootcert") ?? caFile;
  if (!/^postgres(ql)?:$/.test(parsed.protocol) || mode === undefined) {
    throw new Error(
      "the database URL must start with postgres:// and name an sslmode of " + sslModes.join(", "),
    );
  }
  return {
    ...rest,
    host: decodeURIComponent(parsed.hostname),
    port: parsed.port === "" ? 5432 : Number(parsed.port),
    database: decodeURIComponent(parsed.pathname.slice(1)),
    user: decodeURIComponent(parsed.username),
    password: decodeURIComponent(parsed.password),
    sslMode: mode,
    ...(ca === undefined ? {} : { caFile: ca }),
  };
}

const sslModes: readonly SslMode[] = ["disable", "require", "verify-ca", "verify-full"];

/** pg-pool makes clients with `new`; a class is the one place where it lets us look at the files again. */
function clientClass(settings: DatabaseSettings): new (config?: pg.ClientConfig) => pg.Client {
  return class extends pg.Client {
    constructor(config?: pg.ClientConfig) {
      super({ ...config, ...configOrFault(settings) });
      // A connection may break between a query and its way back into the pool, when nobody else listens.
      this.on("error", () => undefined);
    }
  };
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

function brokenSocket(fault: Error): Socket {
  const socket = new Socket();
  socket.connect = () => socket.destroy(fault);
  return socket;
}

function clientConfig(settings: DatabaseSettings): pg.ClientConfig {
  const user = fileOr(settings.userFile, settings.user);
  const password = fileOr(settings.passwordFile, settings.password);
  return {
    host: settings.host,
    port: settings.port,
    database: settings.database,
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ssl: tls(settings),
    application_name: settings.applicationName ?? "dkp-bot",
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    statement_timeout: settings.commandTimeoutMs,
    // The server ends a statement first; this is for a server that does not answer at all.
    query_timeout: settings.commandTimeoutMs + 1_000,
    types: types(),
  };
}

function types(): pg.CustomTypesConfig {
  const overrides = new pg.TypeOverrides();
  overrides.setTypeParser(pg.types.builtins.INT8, BigInt);
  return overrides;
}

function fileOr(file: string | undefined, value: string | undefined): string | undefined {
  return file === undefined ? value : readFileSync(file, "utf8").trim();
}

/** As libpq: `require` encrypts, `verify-ca` checks who signed the certificate, `verify-full` also whose it is. */
function tls({ sslMode, caFile, host }: DatabaseSettings): pg.ClientConfig["ssl"] {
  if (sslMode === "disable") {
    return false;
  }
  const ca = caFile === undefined ? {} : { ca: readFileSync(caFile, "utf8") };
  const verify = sslMode !== "require" || caFile !== undefined;
  return {
    ...ca,
    rejectUnauthorized: verify,
    checkServerIdentity: (_name, certificate) =>
      sslMode === "verify-full" ? checkServerIdentity(host, certificate) : undefined,
  };
}
