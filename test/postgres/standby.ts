import {
  appendFileSync,
  chmodSync,
  chownSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import { postgresFolder } from "./binaries.ts";
import type { PostgresServer } from "./server.ts";
import { supervised } from "./supervised.ts";

export type Standby = {
  readonly port: number;
  /** Stops and continues to replay what the primary writes. */
  pauseReplay(paused: boolean): Promise<void>;
  stop(): Promise<void>;
};

/** A streaming hot standby of a running server, made from a base backup. */
export async function startStandby(primary: PostgresServer): Promise<Standby> {
  const folder = mkdtempSync(join(tmpdir(), "dkp-standby-"));
  const data = join(folder, "data");
  const admin = new pg.Client({ connectionString: primary.adminUrl() });
  await admin.connect();
  const { rows } = await admin.query<{ data_directory: string }>("show data_directory");
  const source = rows[0]?.data_directory ?? "";
  const { uid, gid } = statSync(source);
  appendFileSync(join(source, "pg_hba.conf"), "host replication all 127.0.0.1/32 scram-sha-256\n");
  await admin.query("select pg_reload_conf()");
  await admin.query("select pg_backup_start('standby', true)");
  cpSync(source, data, { recursive: true, filter: (path) => !path.endsWith("postmaster.pid") });
  const stopped = await admin.query<{ labelfile: string }>(
    "select labelfile from pg_backup_stop(wait_for_archive => false)",
  );
  await admin.end();
  writeFileSync(join(data, "backup_label"), stopped.rows[0]?.labelfile ?? "");
  writeFileSync(join(data, "standby.signal"), "");
  const user = process.getuid?.() === 0 ? { uid, gid } : {};
  owned(folder, user);
  const port = await freePort();
  const { password } = new URL(primary.adminUrl());
  const settings = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    max_connections: "200",
    shared_buffers: "16MB",
    dynamic_shared_memory_type: "mmap",
    fsync: "off",
    primary_conninfo: `host=127.0.0.1 port=${primary.port} user=postgres password=${password}`,
  };
  const command = [join(postgresFolder(), "bin", "postgres"), "-D", data, "-p", String(port)].concat(
    Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  );
  const running = supervised(folder, command, user);
  const query = async (sql: string): Promise<void> => {
    const client = new pg.Client({
      connectionString: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    });
    client.on("error", () => undefined);
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  for (let ready = false; !ready;) {
    ready = await query("select 1").then(
      () => true,
      () => pause(20).then(() => false),
    );
  }
  return {
    port,
    pauseReplay: (paused) => query(`select pg_wal_replay_${paused ? "pause" : "resume"}()`),
    async stop() {
      await running.end("INT");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** PostgreSQL takes a data folder that belongs to it alone. */
function owned(folder: string, { uid, gid }: { uid?: number; gid?: number }): void {
  chmodSync(join(folder, "data"), 0o700);
  if (uid === undefined || gid === undefined) {
    return;
  }
  chownSync(folder, uid, gid);
  for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    chownSync(join(folder, path), uid, gid);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
