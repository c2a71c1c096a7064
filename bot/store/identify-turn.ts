import { setTimeout as pause } from "node:timers/promises";
import type { Database } from "./database.ts";

const turnClass = 0x646b72;

/**
 * Runs `identify` while no other replica does, and at least `spacingMs` after the last one began. The turn ends with
 * the connection, so a replica that dies does not keep it.
 */
export async function withIdentifyTurn<Result>(
  database: Database,
  spacingMs: number,
  signal: AbortSignal,
  identify: () => Promise<Result>,
): Promise<Result> {
  const client = await database.connect();
  try {
    for (;;) {
      signal.throwIfAborted();
      const { rows } = await client.query<{ locked: boolean }>(
        "select pg_try_advisory_lock($1, 1) as locked",
        [turnClass],
      );
      if (rows[0]?.locked === true) {
        break;
      }
      await pause(200, undefined, { signal });
    }
    const { rows } = await client.query<{ wait: number }>(
      `select least($1, greatest(0, $1 - extract(epoch from now() - last_at) * 1000))::float8 as wait
       from identify_turn`,
      [spacingMs],
    );
    await pause(rows[0]?.wait ?? 0, undefined, { signal });
    await client.query("update identify_turn set last_at = now()");
    return await identify();
  } finally {
    await client.end().catch(() => undefined);
  }
}
