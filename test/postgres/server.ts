import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { certificateAuthority } from "../cluster/authority.ts";
import { postgresFolder } from "./binaries.ts";
import { supervised } from "./supervised.ts";
import type { Supervised } from "./supervised.ts";

const run = promisify(execFile);

export type PostgresOptions = {
  /** Serve TLS with a certificate for localhost and 127.0.0.1, and refuse connections without it. */
  readonly tls?: boolean;
  /** Write through to the disk; off by default, since tests kill the server and not the machine. */
  readonly fsync?: boolean;
  /** Server settings by name. */
  readonly settings?: Readonly<Record<string, string>>;
};

/** One database with the roles that CloudNativePG makes: its owner `dkp`, and the bot's `dkp_bot`. */
export type TestDatabase = { readonly name: string; readonly ownerUrl: string; readonly botUrl: string };

export type PostgresServer = {
  readonly host: string;
  readonly port: number;
  /** The superuser's; to any database. */
  adminUrl(database?: string): string;
  url(database: string, role?: "dkp" | "dkp_bot"): string;
  /** The certificate authority's file; with `tls` only. */
  readonly caFile: string | undefined;
  createDatabase(): Promise<TestDatabase>;
  /** Stops (if it runs) and starts again, on the same port and data. */
  restart(): Promise<void>;
  /** kill -9 of the server: connections break, what was committed is there after `restart`. */
  stopHard(): Promise<void>;
  /** Ends the server and removes its data. */
  stop(): Promise<void>;
};

/** PostgreSQL 16.6 on an ephemeral port of 127.0.0.1. It ends with this process at the latest. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), "dkp-postgres-"));
  const user = unprivileged();
  const password = randomBytes(12).toString("hex");
  const native = postgresFolder();
  const data = join(folder, "data");
  writeFileSync(join(folder, "password"), password);
  const caFile = options.tls === true ? await writeCertificates(folder) : undefined;
  giveTo(user, folder, caFile === undefined ? ["password"] : ["password", "server.crt", "server.key"]);
  await run(
    join(native, "bin", "initdb"),
    [
      `--pgdata=${data}`,
      "--username=postgres",
      `--pwfile=${join(folder, "password")}`,
      "--auth=scram-sha-256",
    ].concat("--encoding=UTF8", "--locale=C", "--no-sync"),
    { ...user, cwd: "/", env: { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" } },
  );
  writeFileSync(
    join(data, "pg_hba.conf"),
    `${options.tls === true ? "hostssl" : "host"} all all 127.0.0.1/32 scram-sha-256\n`,
  );
  const port = await freePort();
  const command = [join(native, "bin", "postgres"), "-D", data, "-p", String(port)].concat(
    settings(folder, options).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  );
  return server({ folder, command, user, password, port, caFile });
}

function settings(folder: string, options: PostgresOptions): [string, string][] {
  return Object.entries({
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    max_connections: "200",
    shared_buffers: "64MB",
    // Lives in the data folder, so that a killed server leaves nothing behind.
    dynamic_shared_memory_type: "mmap",
    fsync: options.fsync === true ? "on" : "off",
    log_min_messages: "warning",
    ...(options.tls === true
      ? { ssl: "on", ssl_cert_file: join(folder, "server.crt"), ssl_key_file: join(folder, "server.key") }
      : {}),
    ...options.settings,
  });
}

type Parts = {
  folder: string;
  command: string[];
  user: { uid?: number; gid?: number };
  password: string;
  port: number;
  caFile: string | undefined;
};

async function server({ folder, command, user, password, port, caFile }: Parts): Promise<PostgresServer> {
  let running: Supervised | undefined;
  let databases = 0;
  const address = (role: string, database: string): string =>
    `postgres://${role}:${password}@127.0.0.1:${port}/${database}`;
  const adminUrl = (database = "postgres"): string => address("postgres", database);
  const admin = (statements: readonly string[]): Promise<void> => query(adminUrl(), caFile, statements);
  const end = async (signal: "INT" | "KILL"): Promise<void> => {
    await running?.end(signal);
    running = undefined;
  };
  const start = async (): Promise<void> => {
    running = supervised(folder, command, user);
    await ready(running, () => admin(["select 1"]));
  };
  await start();
  await admin(["dkp", "dkp_bot"].map((role) => `create role ${role} login password '${password}'`));
  return {
    host: "127.0.0.1",
    port,
    adminUrl,
    url: (database, role = "dkp") => address(role, database),
    caFile,
    async createDatabase() {
      databases += 1;
      const name = `test_${databases}`;
      await admin([`create database ${name} owner dkp`, `revoke connect on database ${name} from public`]);
      await admin([`grant connect on database ${name} to dkp_bot`]);
      return { name, ownerUrl: address("dkp", name), botUrl: address("dkp_bot", name) };
    },
    async restart() {
      await end("INT");
      await start();
    },
    stopHard: () => end("KILL"),
    async stop() {
      await end("INT");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function ready(server: Supervised, probe: () => Promise<void>): Promise<void> {
  let ended = false;
  void server.exited.then(() => {
    ended = true;
  });
  for (;;) {
    try {
      return await probe();
    } catch (cause) {
      if (ended) {
        throw new Error(`PostgreSQL did not start: ${server.output()}`, { cause });
      }
      await pause(20);
    }
  }
}

async function query(url: string, caFile: string | undefined, statements: readonly string[]): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    ...(caFile === undefined ? {} : { ssl: { ca: readFileSync(caFile), servername: "localhost" } }),
  });
  client.on("error", () => undefined);
  await client.connect();
  try {
    for (const statement of statements) {
      await client.query(statement);
    }
  } finally {
    await client.end();
  }
}

/** PostgreSQL refuses to run as root. */
function unprivileged(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) {
    return {};
  }
  const nobody = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .find(([name]) => name === "nobody");
  if (nobody === undefined) {
    throw new Error("PostgreSQL does not run as root, and there is no user nobody to run it as");
  }
  return { uid: Number(nobody[2]), gid: Number(nobody[3]) };
}

function giveTo(user: { uid?: number; gid?: number }, folder: string, files: string[]): void {
  if (user.uid !== undefined && user.gid !== undefined) {
    mkdirSync(join(folder, "data"), { mode: 0o700 });
    for (const path of [folder, join(folder, "data"), ...files.map((file) => join(folder, file))]) {
      chownSync(path, user.uid, user.gid);
    }
  }
}

async function writeCertificates(folder: string): Promise<string> {
  const authority = await certificateAuthority("test database authority");
  const { certificate, key } = await authority.server([
    { type: "dns", value: "localhost" },
    { type: "ip", value: "127.0.0.1" },
  ]);
  writeFileSync(join(folder, "server.crt"), certificate);
  writeFileSync(join(folder, "server.key"), key, { mode: 0o600 });
  const caFile = join(folder, "ca.crt");
  writeFileSync(caFile, authority.certificate);
  return caFile;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
