import { parseAmount } from "../../ledger/amount.ts";
import type { Outcome } from "../../ledger/decision.ts";
import { auctionEdit } from "../auction-message.ts";
import { always, noSuchAuction, type SlashCommand } from "../command.ts";
import { auctionIdOption, textOption } from "../interaction.ts";
import { account } from "../members.ts";
import { message } from "../message.ts";
import { pointsText, poolNamed } from "../points.ts";
import { what, who } from "../refusal-text.ts";
import { moment } from "../text.ts";
import { auctionChoices } from "./choices.ts";
import { amountOption, auctionOption } from "./options.ts";

export const auctionBid: SlashCommand = {
  path: "auction bid",
  description: "Bid on an open auction; the amount is held until you are outbid or the auction ends",
  audience: "everyone",
  options: [auctionOption, amountOption("Your bid")],
  ephemeral: always,
  autocomplete: auctionChoices,
  execute(invocation) {
    const id = auctionIdOption(invocation);
    if (id === undefined) {
      return noSuchAuction;
    }
    return {
      kind: "change",
      change: {
        command(making) {
          const auction = making.state.auctions.get(id);
          // A closed auction is refused by the ledger whatever the amount; two decimals are what any pool may have.
          const pool = auction === undefined ? undefined : poolNamed(making.state.rules, auction.pool);
          const parsed = parseAmount(textOption(invocation, "amount") ?? "", pool?.decimals ?? 2);
          if (typeof parsed !== "bigint") {
            return { refusal: parsed };
          }
          return {
            type: "placeBid",
            auction: id,
            member: making.member(account(invocation.actor)),
            amount: parsed,
            bid: invocation.id,
            bidAtMs: invocation.createdAtMs,
          };
        },
        shown(outcome, view) {
          if (outcome.kind !== "bidPlaced") {
            throw new Error(`A bid came out as ${outcome.kind}`);
          }
          const amount = (hundredths: bigint) => pointsText(view.state.rules, outcome.pool, hundredths);
          const on = what(outcome.auction, view);
          const standing = standingText(outcome, amount, on);
          const outbid =
            outcome.outbid === undefined
              ? ""
              : ` ${who(outcome.outbid.member, view)} was outbid at ${amount(outcome.outbid.amount)}.`;
          const ends = outcome.extended
            ? ` The auction was extended and ends ${moment(outcome.endsAtMs)}.`
            : ` It ends ${moment(outcome.endsAtMs)}.`;
          return {
            reply: message(standing + outbid + ends),
            announcements: auctionEdit(outcome.auction, view),
          };
        },
      },
    };
  },
};

function standingText(
  outcome: Extract<Outcome, { kind: "bidPlaced" }>,
  amount: (hundredths: bigint) => string,
  on: string,
): string {
  if (outcome.leads) {
    return `Your bid of **${amount(outcome.amount)}** on ${on} leads; that much is held until you are outbid, which takes ${amount(outcome.nextMinimum)} or more.`;
  }
  return outcome.waiting === true
    ? `Your bid of ${amount(outcome.amount)} on ${on} came after the end: it counts only if an earlier bid that is still on its way extends the auction. Nothing is held.`
    : `Your bid of ${amount(outcome.amount)} on ${on} counts, but a higher one arrived before it: bid at least ${amount(outcome.nextMinimum)} to lead.`;
}
