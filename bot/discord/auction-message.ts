import { nextMinimum } from "../ledger/auction.ts";
import type { Outcome } from "../ledger/decision.ts";
import type { AuctionId } from "../ledger/event.ts";
import type { Auction } from "../ledger/state.ts";
import type { View } from "../store/request.ts";
import type { Announcement } from "./command.ts";
import { card, message, type MessageBody } from "./message.ts";
import type { OutgoingBody } from "./outgoing.ts";
import { pointsText } from "./points.ts";
import { who } from "./refusal-text.ts";
import { literal, moment } from "./text.ts";

const colors = { open: 0x57f287, closing: 0xfee75c, sold: 0x5865f2, over: 0x99aab5 } as const;

/** The name under which the outbox remembers an auction's live message. */
export function auctionSubject(auction: AuctionId): string {
  return `auction:${auction}`;
}

/** The live message of an open auction, as the state has it. */
export function auctionCard(auction: Auction, view: View): MessageBody {
  const { rules } = view.state;
  const amount = (hundredths: bigint) => pointsText(rules, auction.pool, hundredths);
  const { leader } = auction;
  const next = nextMinimum(auction);
  const extensions = auction.extensions === 0 ? "" : `, extended ${auction.extensions} × by late bids`;
  return card({
    title: `Auction: ${literal(view.item(auction.id) ?? auction.id)}`,
    color: auction.called ? colors.closing : colors.open,
    lines: [
      leader === undefined
        ? "No bid yet."
        : `Highest bid: **${amount(leader.amount)}** by ${who(leader.member, view)} (${auction.bidCount} ${auction.bidCount === 1 ? "bid" : "bids"})`,
      auction.called
        ? "Bidding has ended, the result follows in a moment."
        : `Ends ${moment(auction.endsAtMs)} (${moment(auction.endsAtMs, "t")})${extensions}`,
      ...(auction.called
        ? []
        : [`Bid with \`/auction bid\`, at least ${amount(next)} (steps of ${amount(auction.increment)}).`]),
    ],
    footer: `Auction ${auction.id}`,
  });
}

/** Brings the live message of an auction that is still open up to date; nothing when it is not. */
export function auctionEdit(auction: AuctionId, view: View): Announcement[] {
  const open = view.state.auctions.get(auction);
  return open === undefined
    ? []
    : [{ kind: "edit", subject: auctionSubject(auction), body: auctionCard(open, view) }];
}

/** How an auction ended, as its live message shows it from then on and as the results channel is told. */
export function settledAnnouncements(
  outcome: Extract<Outcome, { kind: "auctionSettled" }>,
  view: View,
): Announcement[] {
  const item = literal(view.item(outcome.auction) ?? outcome.auction);
  const { winner } = outcome;
  const sentence = settledSentence(outcome, view);
  const body = card({
    title: `Auction: ${item}`,
    color: winner === undefined ? colors.over : colors.sold,
    lines: [sentence],
    footer: `Auction ${outcome.auction}, entry #${outcome.entry}`,
  });
  const edit: Announcement = { kind: "edit", subject: auctionSubject(outcome.auction), body };
  const { results } = view.state.rules.channels;
  return results === undefined
    ? [edit]
    : [edit, { kind: "post", channelId: results, body: message(`**${item}**: ${sentence}`) }];
}

/** "Won by @somebody for 50 dkp." */
export function settledSentence(
  { winner, pool }: Extract<Outcome, { kind: "auctionSettled" }>,
  view: View,
): string {
  return winner === undefined
    ? "Nobody bid, nothing was sold."
    : `Won by ${who(winner.member, view)} for **${pointsText(view.state.rules, pool, winner.amount)}**.`;
}

/** A cancelled auction's live message. */
export function cancelledEdit(auction: AuctionId, view: View, reason: string | undefined): Announcement {
  const why = reason === undefined ? "" : ` ${literal(reason, 200)}`;
  return {
    kind: "edit",
    subject: auctionSubject(auction),
    body: card({
      title: `Auction: ${literal(view.item(auction) ?? auction)}`,
      color: colors.over,
      lines: [`Cancelled.${why} Nothing was sold, no points are held.`],
      footer: `Auction ${auction}`,
    }),
  };
}

/**
 * What an edit of an auction's live message should show by now, when others may have changed the auction since the edit
 * was written: the newest state, the end as written, or nothing (the auction is over and its end is written elsewhere).
 */
export function currentAuctionBody(
  subject: string,
  written: OutgoingBody,
  view: View,
): OutgoingBody | undefined {
  const open = view.state.auctions.get(subject.slice("auction:".length) as AuctionId);
  if (open !== undefined) {
    return auctionCard(open, view);
  }
  const [embed] = Array.isArray(written["embeds"]) ? (written["embeds"] as { color?: number }[]) : [];
  return embed?.color === colors.open || embed?.color === colors.closing ? undefined : written;
}
