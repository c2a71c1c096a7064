import { nextMinimum } from "../../ledger/auction.ts";
import { always, type SlashCommand } from "../command.ts";
import { card, message } from "../message.ts";
import { pointsText } from "../points.ts";
import { who } from "../refusal-text.ts";
import { literal, moment } from "../text.ts";
import { openAuctions } from "./choices.ts";

/** More lines than this do not fit into one card. */
const shownAtMost = 20;

export const auctionList: SlashCommand = {
  path: "auction list",
  description: "Show the open auctions",
  audience: "everyone",
  options: [],
  ephemeral: always,
  execute: (_invocation, { ledger }) => ({
    kind: "answer",
    async answer() {
      await ledger.catchUp();
      const view = ledger.view();
      const auctions = openAuctions(view.state.auctions.entries());
      if (auctions.length === 0) {
        return message("No auction is open.");
      }
      const lines = auctions.slice(0, shownAtMost).map((auction) => {
        const { leader } = auction;
        const amount = (hundredths: bigint) => pointsText(view.state.rules, auction.pool, hundredths);
        const standing =
          leader === undefined ? "no bid yet" : `${amount(leader.amount)} by ${who(leader.member, view)}`;
        const ends = auction.called
          ? "bidding has ended"
          : `bid at least ${amount(nextMinimum(auction))}, ends ${moment(auction.endsAtMs)}`;
        return `**${literal(view.item(auction.id) ?? auction.id)}** (${auction.id}): ${standing}, ${ends}`;
      });
      const more = auctions.length - lines.length;
      return card({ title: "Open auctions", lines: more > 0 ? [...lines, `and ${more} more`] : lines });
    },
  }),
};
