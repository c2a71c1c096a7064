import type { AuctionId } from "../../ledger/event.ts";
import { auctionEdit, settledAnnouncements, settledSentence } from "../auction-message.ts";
import { always, noSuchAuction, type Change, type SlashCommand } from "../command.ts";
import { auctionIdOption } from "../interaction.ts";
import { message } from "../message.ts";
import { what } from "../refusal-text.ts";
import { moment } from "../text.ts";
import { auctionChoices } from "./choices.ts";
import { auctionOption } from "./options.ts";

export const auctionClose: SlashCommand = {
  path: "auction close",
  description: "End the bidding of an auction now (officers)",
  audience: "officers",
  options: [auctionOption],
  ephemeral: always,
  autocomplete: auctionChoices,
  execute(invocation) {
    const auction = auctionIdOption(invocation);
    return auction === undefined ? noSuchAuction : { kind: "change", change: closing(auction) };
  },
};

/** Ends the bidding; what was bid before still counts, so settling waits for stragglers. */
function closing(auction: AuctionId): Change {
  return {
    command: () => ({ type: "closeAuction", auction, by: "officer" }),
    shown(outcome, view) {
      if (outcome.kind === "auctionSettled") {
        return {
          reply: message(`${what(outcome.auction, view)}: ${settledSentence(outcome, view)}`),
          announcements: settledAnnouncements(outcome, view),
        };
      }
      if (outcome.kind !== "auctionClosing") {
        throw new Error(`Closing an auction came out as ${outcome.kind}`);
      }
      return {
        reply: message(
          `Bidding on ${what(outcome.auction, view)} has ended. Bids made before now still count; it is settled ${moment(outcome.dueAtMs)}.`,
        ),
        announcements: auctionEdit(outcome.auction, view),
      };
    },
  };
}
