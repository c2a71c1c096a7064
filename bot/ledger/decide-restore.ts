import type { ConfiguredRestore, RecordRestore } from "./command.ts";
import type { Outcome } from "./decision.ts";
import { emit } from "./draft.ts";
import type { Draft } from "./draft.ts";
import type { Refusal } from "./refusal.ts";
import type { State } from "./state.ts";

/** A restore that no officer has confirmed yet. */
export type PendingRestore = ConfiguredRestore & { readonly noted: boolean };

/**
 * The restore that waits for an officer: one that the configuration names and the ledger does not know yet, or the
 * ledger's last one. Undefined when changes and jobs may go on.
 */
export function pendingRestore(
  { restores }: State,
  configured: ConfiguredRestore | undefined,
): PendingRestore | undefined {
  if (configured !== undefined && !restores.some(({ restore }) => restore === configured.id)) {
    return { ...configured, noted: false };
  }
  const last = restores.at(-1);
  return last === undefined || last.confirmed
    ? undefined
    : { id: last.restore, ...(last.target === undefined ? {} : { target: last.target }), noted: true };
}

/** Why every change has to wait for an officer, if it has to. */
export function restoreRefusal(state: State, configured: ConfiguredRestore | undefined): Refusal | undefined {
  const pending = pendingRestore(state, configured);
  return pending && { code: "RESTORED", ...(pending.target === undefined ? {} : { target: pending.target }) };
}

/** Notes a restore, once. */
export function recordRestore(work: Draft, { type: _type, ...data }: RecordRestore): Outcome {
  if (work.state.restores.some(({ restore }) => restore === data.restore)) {
    return { kind: "unchanged" };
  }
  return { kind: "restoreRecorded", entry: emit(work, { type: "LedgerRestored", version: 1, data }) };
}

/** Ends the wait that a restore began. */
export function confirmRestore(work: Draft): Outcome | Refusal {
  const pending = pendingRestore(work.state, work.context.restore);
  if (pending === undefined) {
    return { code: "NOTHING_RESTORED" };
  }
  if (!pending.noted) {
    return { code: "RESTORE_NOT_NOTED" };
  }
  const data = { restore: pending.id };
  const entry = emit(work, { type: "RestoreConfirmed", version: 1, data });
  const openAuctions = [...work.state.auctions.entries()].length;
  const { target } = pending;
  return { kind: "restoreConfirmed", entry, openAuctions, ...(target === undefined ? {} : { target }) };
}
