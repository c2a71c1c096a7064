import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { checkServerIdentity } from "node:tls";
import pg from "pg";

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
  /**
   * A connection string in a file, which says everything that the fields above would; TLS is a must in it. A file ca.crt beside it is the
   * authority to trust, unless it or `caFile` names another.
   */
  readonly urlFile?: string;
  /** Whether a connection string in a file may do without TLS: while developing only. */
  readonly plaintext?: boolean;
  /** Connections kept open while idle, and opened by `warm`. */
  readonly poolMin: number;
  readonly poolMax: number;
  /** How long a statement may take, and how long a command waits for a database that is away. */
  readonly commandTimeoutMs: number;
  /** How long opening a connection may take; 5 s when left out. */
  readonly connectTimeoutMs?: number;
  /** The host of the standbys, reached like `host`; absent when there are none. */
  readonly readHost?: string;
  /** Shown in pg_stat_activity. */
  readonly applicationName?: string;
};

/**
 * Reads postgres://user:password@host:port/database?sslmode=…&sslrootcert=…; the rest comes from `others`.
 * @throws Error that says what is wrong without showing the URL, which holds a password
 */
export function databaseSettingsFromUrl(
  url: string,
  others: Pick<DatabaseSettings, "poolMin" | "poolMax" | "commandTimeoutMs"> & Partial<DatabaseSettings>,
): DatabaseSettings {
  const { sslMode, caFile, ...rest } = others;
  const parsed = parsedUrl(url);
  const named = parsed.searchParams.get("sslmode");
  const mode = named === null ? sslMode : sslModes.find((known) => known === named);
  const root = parsed.searchParams.get("sslrootcert") ?? caFile;
  if (mode === undefined) {
    throw new Error(`the database URL must name an sslmode of ${sslModes.join(", ")}`);
  }
  return {
    ...rest,
    host: part(parsed.hostname, "host").replace(/^\[(.*)\]$/, "$1"),
    port: parsed.port === "" ? 5432 : Number(parsed.port),
    database: part(parsed.pathname.slice(1), "name"),
    user: part(parsed.username, "user"),
    password: part(parsed.password, "password"),
    sslMode: mode,
    // As in libpq, "system" means the roots that come with the system.
    ...(root === undefined || root === "system" ? {} : { caFile: root }),
  };
}

function part(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error(`the ${what} in the database URL has a % that must be written as %25`);
  }
}

function parsedUrl(url: string): URL {
  const parsed = URL.parse(url);
  if (parsed === null || !/^postgres(ql)?:$/.test(parsed.protocol) || parsed.hostname === "") {
    throw new Error(
      "the database URL is not one: write postgresql://user:password@host:5432/name?sslmode=verify-full with one host, and percent-encode what is special in the password",
    );
  }
  return parsed;
}

const sslModes: readonly SslMode[] = ["disable", "require", "verify-ca", "verify-full"];

/** The settings as the files say them now. */
function resolved(settings: DatabaseSettings): DatabaseSettings {
  const { urlFile, sslMode: _mode, ...others } = settings;
  if (urlFile === undefined) {
    const user = fileOr(settings.userFile, settings.user);
    const password = fileOr(settings.passwordFile, settings.password);
    return {
      ...settings,
      ...(user === undefined ? {} : { user }),
      ...(password === undefined ? {} : { password }),
    };
  }
  const url = readFileSync(urlFile, "utf8").trim();
  const mode = parsedUrl(url).searchParams.get("sslmode");
  if (settings.plaintext !== true && !["require", "verify-ca", "verify-full"].includes(mode ?? "")) {
    throw new Error(
      "the database URL must ask for TLS: add sslmode=verify-full (or verify-ca, or require) to it",
    );
  }
  return databaseSettingsFromUrl(url, { sslMode: "disable", ...authorityBeside(urlFile), ...others });
}

function authorityBeside(urlFile: string): { caFile?: string } {
  const caFile = join(dirname(urlFile), "ca.crt");
  return existsSync(caFile) ? { caFile } : {};
}

/** Tells whether the files say something else than before, without keeping what they say. */
export function credentials(settings: DatabaseSettings): string {
  const { host, port, database, user, password, sslMode } = resolved(settings);
  const all = JSON.stringify([host, port, database, user, password, sslMode]);
  return createHash("sha256").update(all).digest("hex");
}

/** True for settings that a rotation can change. */
export function isRotated({ urlFile, userFile, passwordFile }: DatabaseSettings): boolean {
  return (urlFile ?? userFile ?? passwordFile) !== undefined;
}

/** What pg needs for one connection; reads the files again. */
export function clientConfig(given: DatabaseSettings): pg.ClientConfig {
  const settings = resolved(given);
  const { user, password } = settings;
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
