import { ApplicationCommandOptionType } from "../discord-js.ts";
import { parseAmount } from "../../ledger/amount.ts";
import type { StartAuction } from "../../ledger/command.ts";
import type { Refusal } from "../../ledger/refusal.ts";
import type { Making } from "../../store/request.ts";
import { auctionCard, auctionSubject } from "../auction-message.ts";
import { always, type SlashCommand } from "../command.ts";
import { freeText } from "../../store/free-text.ts";
import { integerOption, textOption, type CommandInvocation } from "../interaction.ts";
import { message } from "../message.ts";
import { pointsText, poolNamed } from "../points.ts";
import { literal, moment } from "../text.ts";
import { poolChoices } from "./choices.ts";
import { poolOption } from "./options.ts";

const amount = (name: string, description: string) =>
  ({ type: ApplicationCommandOptionType.String, name, description, max_length: 20 }) as const;

export const auctionStart: SlashCommand = {
  path: "auction start",
  description: "Put an item up for auction (officers)",
  audience: "officers",
  options: [
    {
      type: ApplicationCommandOptionType.String,
      name: "item",
      description: "What is auctioned",
      required: true,
      min_length: 1,
      max_length: 100,
    },
    amount("minimum", "The lowest first bid; the guild's rule when left out"),
    amount("increment", "The steps in which bids climb from the lowest one; the guild's rule when left out"),
    {
      type: ApplicationCommandOptionType.Integer,
      name: "minutes",
      description: "How long it runs; the guild's rule when left out",
      min_value: 1,
      max_value: 10_080,
    },
    poolOption,
  ],
  ephemeral: always,
  autocomplete: poolChoices,
  execute(invocation) {
    const text = textOption(invocation, "item");
    if (text === undefined) {
      return { kind: "denied", sentence: "Name the item that is auctioned." };
    }
    const item = freeText(text);
    return {
      kind: "change",
      change: {
        command: (making) => startCommand(invocation, making, item),
        shown(outcome, view) {
          if (outcome.kind !== "auctionStarted") {
            throw new Error(`Starting an auction came out as ${outcome.kind}`);
          }
          const auction = view.state.auctions.get(outcome.auction);
          const channelId = view.state.rules.channels.auctions ?? invocation.channelId;
          const from = pointsText(view.state.rules, outcome.pool, outcome.minimumBid);
          const step = pointsText(view.state.rules, outcome.pool, outcome.increment);
          return {
            reply: message(
              `**${literal(text)}** is up for auction in <#${channelId}>, from ${from} in steps of ${step}, until ${moment(outcome.endsAtMs, "t")} (${moment(outcome.endsAtMs)}).`,
            ),
            announcements:
              auction === undefined
                ? []
                : [
                    {
                      kind: "post",
                      channelId,
                      subject: auctionSubject(auction.id),
                      body: auctionCard(auction, view),
                    },
                  ],
          };
        },
      },
    };
  },
};

function startCommand(
  invocation: CommandInvocation,
  { state }: Making,
  item: StartAuction["item"],
): StartAuction | { refusal: Refusal } {
  const poolName = textOption(invocation, "pool");
  const pool = poolNamed(state.rules, poolName);
  if (pool === undefined) {
    return {
      refusal: {
        code: "UNKNOWN_POOL",
        pool: poolName ?? "",
        pools: state.rules.pools.map(({ name }) => name),
      },
    };
  }
  const amounts: { minimumBid?: bigint; increment?: bigint } = {};
  for (const [option, field] of [
    ["minimum", "minimumBid"],
    ["increment", "increment"],
  ] as const) {
    const text = textOption(invocation, option);
    const parsed = text === undefined ? undefined : parseAmount(text, pool.decimals);
    if (typeof parsed === "object") {
      return { refusal: parsed };
    }
    if (parsed !== undefined) {
      amounts[field] = parsed;
    }
  }
  const minutes = integerOption(invocation, "minutes");
  return {
    type: "startAuction",
    item,
    pool: pool.name,
    ...amounts,
    ...(minutes !== undefined && { durationMs: minutes * 60_000 }),
  };
}
