import { randomInt } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "pg";
import type { Database } from "./database.ts";

/** Advisory lock classes: a replica that lives holds (presence, its id); who leads without Kubernetes (leadership, 1). */
const presenceClass = 0x646b70;
const leadershipClass = 0x646b71;

/** The ids of the replicas that are connected, as a query to build upon. */
export const livingReplicas = `select objid::bigint::integer as id from pg_locks
  where locktype = 'advisory' and granted and classid = ${presenceClass} and objsubid = 2
    and database = (select oid from pg_database where datname = current_database())`;

export type Presence = {
  /** This replica's number while the process lives, for claims and leases. */
  readonly id: number;
  /** True while the others can see that this replica lives. */
  alive(): boolean;
  /** Leads, if nobody else does: for bots without Kubernetes. Lost with the connection. */
  tryLead(): Promise<boolean>;
  leading(): boolean;
  /** Ends the connection: leadership goes, and claims that are not finished are taken over. */
  close(): Promise<void>;
};

export type PresenceOptions = {
  /** Called with the ledger's version after an append by any replica, and with 0 after the connection was restored. */
  readonly onNotified?: (version: number) => void;
  readonly heartbeatMs?: number;
};

/**
 * Shows the other replicas that this one lives, by a session advisory lock on a connection of its own, which also
 * listens for appends. PostgreSQL drops the lock with the connection, however the process ended.
 */
export async function openPresence(database: Database, options: PresenceOptions = {}): Promise<Presence> {
  const { onNotified, heartbeatMs = 5_000 } = options;
  const id = randomInt(1, 2 ** 31 - 1);
  const stopping = new AbortController();
  let client: Client | undefined = await introduce(database, id, onNotified);
  let leads = false;
  const keep = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      if (client !== undefined && (await beats(client, heartbeatMs, stopping.signal))) {
        continue;
      }
      leads = false;
      const lost = client;
      client = undefined;
      // Not waited for: a server that vanished never says that it heard.
      lost?.end().catch(() => undefined);
      await pause(250 * (0.5 + Math.random()), undefined, { signal: stopping.signal }).catch(() => undefined);
      if (!stopping.signal.aborted) {
        client = await introduce(database, id, onNotified).catch(() => undefined);
      }
      if (client !== undefined) {
        onNotified?.(0);
      }
    }
  };
  const kept = keep();
  return {
    id,
    alive: () => client !== undefined,
    async tryLead() {
      leads ||= client !== undefined && (await tryLock(client));
      return leads;
    },
    leading: () => leads,
    async close() {
      stopping.abort();
      await kept;
      leads = false;
      await client?.end().catch(() => undefined);
      client = undefined;
    },
  };
}

async function introduce(
  database: Database,
  id: number,
  onNotified: ((version: number) => void) | undefined,
): Promise<Client> {
  const client = await database.connect();
  client.on("notification", ({ payload }) => onNotified?.(Number(payload ?? 0)));
  try {
    // Shared, because the server may hold our last session for long after the network lost it.
    await client.query("select pg_advisory_lock_shared($1, $2)", [presenceClass, id]);
    await client.query("listen ledger");
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
  return client;
}

/** Waits for the next heartbeat and tells whether the connection still stands. */
async function beats(client: Client, heartbeatMs: number, signal: AbortSignal): Promise<boolean> {
  const broken = new AbortController();
  const stop = (): void => broken.abort();
  client.once("end", stop);
  await pause(heartbeatMs, undefined, { signal: AbortSignal.any([signal, broken.signal]) }).catch(
    () => undefined,
  );
  client.off("end", stop);
  if (signal.aborted) {
    return true;
  }
  // A server that vanished without a word shows only by not answering.
  const beat = { text: "select 1", query_timeout: heartbeatMs };
  return broken.signal.aborted
    ? false
    : client.query(beat).then(
        () => true,
        () => false,
      );
}

async function tryLock(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>("select pg_try_advisory_lock($1, 1) as locked", [
    leadershipClass,
  ]);
  return rows[0]?.locked === true;
}
