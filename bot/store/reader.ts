import type { Logger } from "../../runtime/log.ts";
import type { DatabaseSettings } from "./connection.ts";
import { openDatabase } from "./database.ts";
import type { Database } from "./database.ts";

/** What a pure query needs. */
export type Queried = Pick<Database, "kysely">;

export type Reader = {
  /**
   * Runs a pure query on a standby that has replayed the ledger's `version` at least, otherwise on the primary. The query
   * may run twice.
   */
  read<Result>(version: number, query: (from: Queried) => Promise<Result>): Promise<Result>;
  close(): Promise<void>;
};

/** A member waits for the answer, so a standby that is slow or gone is not waited for. */
const connectTimeoutMs = 1000;
const queryTimeoutMs = 2000;
/** A standby that failed is left alone for so long. */
const restMs = 5000;

/** Reads from the standbys where there are any (`readHost`); without, everything goes to the primary. */
export function openReader(primary: Database, log: Logger): Reader {
  const { settings } = primary;
  if (settings.readHost === undefined) {
    return { read: (_version, query) => query(primary), close: () => Promise.resolve() };
  }
  const standby = openDatabase(standbySettings(settings, settings.readHost));
  let restsUntilMs = 0;
  return {
    async read(version, query) {
      if (performance.now() >= restsUntilMs) {
        try {
          const found = await onStandby(standby, version, query);
          if (found !== undefined) {
            return found.result;
          }
        } catch (error) {
          restsUntilMs = performance.now() + restMs;
          log.debug({ err: error }, "the standby does not answer, reading from the primary");
        }
      }
      return query(primary);
    },
    close: () => standby.close(),
  };
}

function standbySettings(settings: DatabaseSettings, host: string): DatabaseSettings {
  return { ...settings, host, poolMin: 0, poolMax: 5, connectTimeoutMs, commandTimeoutMs: queryTimeoutMs };
}

/** Undefined when the standby is behind. One connection for both, since another may lead to another standby. */
function onStandby<Result>(
  { kysely }: Database,
  version: number,
  query: (from: Queried) => Promise<Result>,
): Promise<{ result: Result } | undefined> {
  return kysely.connection().execute(async (connection) => {
    const head = await connection.selectFrom("stream").select("version").executeTakeFirst();
    return Number(head?.version ?? -1) < version
      ? undefined
      : { result: await query({ kysely: connection }) };
  });
}
