import type { BotConfig } from "../crds/bot-config.ts";
import type { Report } from "../crds/report.ts";
import type { ConfiguredRestore, RecordRestore } from "./ledger/command.ts";
import { pendingRestore } from "./ledger/decide-restore.ts";
import type { State } from "./ledger/state.ts";

/** The restore that a configuration names, as decisions need it. */
export function configuredRestore(config: BotConfig | undefined): ConfiguredRestore | undefined {
  const restore = config?.restore;
  return restore && { id: restore.id, ...(restore.target === undefined ? {} : { target: restore.target }) };
}

/**
 * What the leader notes of a restore in the ledger. Nothing while this bot is still connected to the Cluster that was
 * restored from: its ledger is the abandoned one, which is not written any more and knows of no restore.
 * @param host the database's host: for CloudNativePG `<cluster>-rw` or `<cluster>-pooler`, perhaps with a domain
 */
export function restoreNote(config: BotConfig, host: string): RecordRestore | undefined {
  const { restore } = config;
  const cluster = host.split(".")[0]?.replace(/-(pooler|rw|ro|r)$/, "");
  if (restore === undefined || restore.from === cluster) {
    return undefined;
  }
  const { id, target, from, head } = restore;
  return {
    type: "recordRestore",
    restore: id,
    from,
    ...(target === undefined ? {} : { target }),
    ...(head === undefined ? {} : { head }),
  };
}

/** How the last restore stands, for the report; nothing when there never was one. */
export function restoreReport(
  state: State,
  configured: ConfiguredRestore | undefined,
): Pick<Report, "restore"> {
  const pending = pendingRestore(state, configured);
  const last = state.restores.at(-1);
  if (pending !== undefined) {
    return { restore: { id: pending.id, state: "awaitingConfirmation" } };
  }
  return last === undefined ? {} : { restore: { id: last.restore, state: "confirmed" } };
}
