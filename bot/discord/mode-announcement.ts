import type { Outcome } from "../ledger/decision.ts";
import type { OutgoingCall } from "../store/call.ts";
import { message } from "./message.ts";
import { literal } from "./text.ts";

/** The subject of posts that announce a change of mode. */
export const modeSubject = "mode";

/**
 * What is posted when maintenance begins or ends, if a channel is named for it. Committed with the event, so it is said
 * once, whatever happens to whoever decided it.
 * @param reason what members are told of the mode that was entered
 */
export function modeAnnouncements(outcome: Outcome, reason: string | undefined): readonly OutgoingCall[] {
  if (outcome.kind !== "modeChanged" || outcome.channel === undefined || outcome.mode === outcome.before) {
    return [];
  }
  const { mode, before, channel: channelId } = outcome;
  const over =
    mode === "readOnly"
      ? "Maintenance is over. The bot is read-only for now: looking things up works, changes have to wait."
      : "Maintenance is over: all commands work again.";
  const why = reason === undefined ? "" : `: ${literal(reason, 500)}`;
  const text =
    mode === "maintenance"
      ? `Maintenance begins${why}. Commands have to wait until it is over.`
      : before === "maintenance"
        ? over
        : undefined;
  return text === undefined ? [] : [{ kind: "post", channelId, body: message(text), subject: modeSubject }];
}
