import type { Command, Context } from "./command.ts";
import { cancelAuction, closeAuction, placeBid, startAuction } from "./decide-auction.ts";
import { award, deduct, undo } from "./decide-points.ts";
import { confirmRestore, recordRestore, restoreRefusal } from "./decide-restore.ts";
import { setMode, setRules } from "./decide-rules.ts";
import type { Accepted, Decision, Outcome } from "./decision.ts";
import { draft } from "./draft.ts";
import type { Draft } from "./draft.ts";
import type { LedgerEvent } from "./event.ts";
import type { Refusal } from "./refusal.ts";
import type { State } from "./state.ts";

/**
 * What a command does to a ledger in this state: events to append and what they mean, or why nothing happens. Pure: the
 * same arguments give the same decision, and the state is left as it was.
 */
export function decide(state: State, command: Command, context: Context): Decision {
  const refusal = goesOn(command)
    ? undefined
    : (restoreRefusal(state, context.restore) ?? modeRefusal(state));
  if (refusal !== undefined) {
    return { refusal };
  }
  const work = draft(state, context);
  const result = carryOut(work, command);
  return "code" in result ? { refusal: result } : accepted(work, result);
}

/** The first event of every ledger. */
export function openingEvent(ledger: string, guild: string): LedgerEvent {
  return { type: "LedgerOpened", version: 1, data: { ledger, guild, unit: "hundredths", hash: "sha256" } };
}

function accepted({ events, disclosures }: Draft, outcome: Outcome): Accepted {
  // Newcomers are registered by what they take part in, not by a command that changes nothing.
  const changed = events.some(({ type }) => type !== "MemberRegistered");
  return { events: changed ? events : [], outcome, disclosures };
}

/** What Git says and what ends a wait never waits. */
function goesOn(command: Command): boolean {
  return (
    command.type === "setMode" ||
    command.type === "recordRestore" ||
    command.type === "confirmRestore" ||
    (command.type === "setRules" && command.source === "git")
  );
}

function modeRefusal({ mode }: State): Refusal | undefined {
  if (mode.mode === "active") {
    return undefined;
  }
  const message = mode.message === undefined ? {} : { message: mode.message };
  return mode.mode === "readOnly" ? { code: "READ_ONLY" } : { code: "MAINTENANCE", ...message };
}

function carryOut(work: Draft, command: Command): Outcome | Refusal {
  switch (command.type) {
    case "award":
      return award(work, command);
    case "deduct":
      return deduct(work, command);
    case "undo":
      return undo(work, command);
    case "startAuction":
      return startAuction(work, command);
    case "placeBid":
      return placeBid(work, command);
    case "closeAuction":
      return closeAuction(work, command);
    case "cancelAuction":
      return cancelAuction(work, command);
    case "setRules":
      return setRules(work, command);
    case "setMode":
      return setMode(work, command);
    case "recordRestore":
      return recordRestore(work, command);
    case "confirmRestore":
      return confirmRestore(work);
    default:
      throw new TypeError(`unknown command ${JSON.stringify(command satisfies never)}`);
  }
}
