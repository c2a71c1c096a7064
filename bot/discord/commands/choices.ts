import type { APIApplicationCommandOptionChoice } from "discord.js";
import { nextMinimum } from "../../ledger/auction.ts";
import type { Auction } from "../../ledger/state.ts";
import type { Surroundings } from "../command.ts";
import type { AutocompleteInvocation } from "../interaction.ts";
import { pointsText } from "../points.ts";
import { plain } from "../text.ts";
import { choiceCount, choiceLimit } from "./options.ts";

type Choices = Promise<APIApplicationCommandOptionChoice[]>;

/** The guild's pools whose names contain what was typed. */
export async function poolChoices({ focused }: AutocompleteInvocation, { ledger }: Surroundings): Choices {
  return ledger
    .state()
    .rules.pools.filter(({ name }) => name.includes(focused.value.toLowerCase().trim()))
    .slice(0, choiceCount)
    .map(({ name }) => ({ name, value: name }));
}

/** The open auctions, those that end first on top; an option for a pool offers pools instead. */
export async function auctionChoices({ focused }: AutocompleteInvocation, { ledger }: Surroundings): Choices {
  const view = ledger.view();
  const typed = focused.value.toLowerCase().trim();
  return openAuctions(view.state.auctions.entries())
    .map((auction) => {
      const least = pointsText(view.state.rules, auction.pool, nextMinimum(auction));
      const standing = auction.called ? "bidding has ended" : `bid ${least} or more`;
      const told = ` (${auction.id}, ${standing})`;
      const item = plain(view.item(auction.id) ?? auction.id, Math.max(20, choiceLimit - told.length));
      return { name: plain(item + told, choiceLimit), value: auction.id };
    })
    .filter(({ name }) => name.toLowerCase().includes(typed))
    .slice(0, choiceCount);
}

/** Open auctions, those that end first on top. */
export function openAuctions(entries: Iterable<readonly [string, Auction]>): Auction[] {
  return [...entries].map(([, auction]) => auction).sort((a, b) => a.endsAtMs - b.endsAtMs);
}
