import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { postgresFolder } from "../postgres/binaries.ts";
import { supervised } from "../postgres/supervised.ts";

const run = promisify(execFile);

export type KeptPostgres = { port: number; databaseUrl: string; stop(): Promise<void> };

/** PostgreSQL 16.6 with its data in `folder`, which is made if need be and stays when it ends. */
export async function keptPostgres(folder: string): Promise<KeptPostgres> {
  const home = resolve(folder);
  const data = join(home, "data");
  const passwordFile = join(home, "password");
  const user = unprivileged();
  mkdirSync(home, { recursive: true });
  const bin = join(postgresFolder(), "bin");
  if (!existsSync(join(data, "PG_VERSION"))) {
    mkdirSync(data, { recursive: true, mode: 0o700 });
    writeFileSync(passwordFile, randomBytes(12).toString("hex"), { mode: 0o600 });
    for (const path of [home, data, passwordFile]) {
      if (user.uid !== undefined && user.gid !== undefined) chownSync(path, user.uid, user.gid);
    }
    const options = ["--username=postgres", `--pwfile=${passwordFile}`, "--auth=scram-sha-256"];
    await run(join(bin, "initdb"), [`--pgdata=${data}`, ...options, "--encoding=UTF8", "--locale=C"], {
      ...user,
      cwd: "/",
      env: { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
    });
  }
  const password = readFileSync(passwordFile, "utf8");
  const port = await freePort();
  const settings = { listen_addresses: "127.0.0.1", unix_socket_directories: "", log_min_messages: "fatal" };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  // The supervisor removes its folder should this process die; that must not be the one with the data.
  const scratch = mkdtempSync(join(tmpdir(), "dkp-bot-"));
  const server = supervised(scratch, [join(bin, "postgres"), "-D", data, "-p", String(port), ...flags], user);
  const url = (database: string) => `postgres://postgres:${password}@127.0.0.1:${port}/${database}`;
  await makeDatabase(url("postgres"), server.exited, () => server.output());
  return {
    port,
    databaseUrl: url("dkp"),
    async stop() {
      await server.end("INT");
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}

async function makeDatabase(url: string, exited: Promise<unknown>, output: () => string): Promise<void> {
  let ended = false;
  void exited.then(() => (ended = true));
  for (;;) {
    const client = new pg.Client({ connectionString: url });
    client.on("error", () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query("select 1 from pg_database where datname = 'dkp'");
      if (rows.length === 0) await client.query("create database dkp");
      await client.end();
      return;
    } catch (cause) {
      await client.end().catch(() => undefined);
      if (ended) throw new Error(`PostgreSQL did not start: ${output()}`, { cause });
      await pause(30);
    }
  }
}

/** PostgreSQL refuses to run as root. */
function unprivileged(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const nobody = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync("/etc/passwd", "utf8"));
  if (nobody === null) throw new Error("PostgreSQL does not run as root, and there is no user nobody");
  return { uid: Number(nobody[1]), gid: Number(nobody[2]) };
}

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const probe = createServer();
    probe.once("error", fail);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => done(port));
    });
  });
}
