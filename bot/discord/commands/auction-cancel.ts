import { cancelledEdit } from "../auction-message.ts";
import { always, noSuchAuction, type SlashCommand } from "../command.ts";
import { freeText } from "../../store/free-text.ts";
import { auctionIdOption, textOption } from "../interaction.ts";
import { message } from "../message.ts";
import { pointsText } from "../points.ts";
import { what, who } from "../refusal-text.ts";
import { auctionChoices } from "./choices.ts";
import { auctionOption, reasonOption } from "./options.ts";

export const auctionCancel: SlashCommand = {
  path: "auction cancel",
  description: "Call an auction off: nothing is sold and all holds are released (officers)",
  audience: "officers",
  options: [auctionOption, reasonOption],
  ephemeral: always,
  autocomplete: auctionChoices,
  execute(invocation) {
    const id = auctionIdOption(invocation);
    if (id === undefined) {
      return noSuchAuction;
    }
    const text = textOption(invocation, "reason");
    const reason = text === undefined ? undefined : freeText(text);
    return {
      kind: "change",
      change: {
        command: () => ({
          type: "cancelAuction",
          auction: id,
          ...(reason !== undefined && { reason }),
        }),
        shown(outcome, view) {
          if (outcome.kind !== "auctionCancelled") {
            throw new Error(`Cancelling an auction came out as ${outcome.kind}`);
          }
          const released =
            outcome.released === undefined
              ? ""
              : ` ${who(outcome.released.member, view)} has ${pointsText(view.state.rules, outcome.pool, outcome.released.amount)} free again.`;
          return {
            reply: message(`The auction of ${what(outcome.auction, view)} is cancelled.${released}`),
            announcements: [cancelledEdit(outcome.auction, view, text)],
          };
        },
      },
    };
  },
};
