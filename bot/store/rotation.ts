import type { Logger } from "../../runtime/log.ts";
import { credentials, isRotated } from "./connection.ts";
import type { Database } from "./database.ts";

/**
 * A look for rotated credentials, to be taken again and again: once the mounted files say something else and PostgreSQL
 * takes it, connections made with the old ones are closed as they become idle. Until then the old connections go on, for
 * the file may change before the role does. A look throws while the new credentials are refused.
 */
export function credentialsWatch(database: Database, log: Logger): () => Promise<void> {
  let current: string | undefined;
  let stale = 0;
  return async () => {
    if (!isRotated(database.settings)) {
      return;
    }
    const now = credentials(database.settings);
    current ??= now;
    if (now !== current) {
      const trial = await database.connect();
      await trial.end();
      log.info("the database's credentials changed, connections are being renewed");
      current = now;
    }
    const left = await database.retire(current);
    if (stale > 0 && left === 0) {
      log.info("all connections use the new credentials");
    }
    stale = left;
  };
}
