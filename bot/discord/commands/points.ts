import { parseAmount } from "../../ledger/amount.ts";
import type { Award, Deduct } from "../../ledger/command.ts";
import type { Lapse, MemberBalance, Outcome } from "../../ledger/decision.ts";
import type { Refusal } from "../../ledger/refusal.ts";
import { freeText } from "../../store/free-text.ts";
import type { DiscordAccount, Making, View } from "../../store/request.ts";
import { auctionEdit } from "../auction-message.ts";
import type { Announcement, Change } from "../command.ts";
import { textOption, type CommandInvocation } from "../interaction.ts";
import { button, message } from "../message.ts";
import { pointsText, poolNamed } from "../points.ts";
import { refusalText, what, who } from "../refusal-text.ts";
import { enumerated, literal, mention } from "../text.ts";

/** The change that `/dkp award` and `/dkp deduct` ask for, for these members. */
export function pointsChange(
  type: "award" | "deduct",
  invocation: CommandInvocation,
  accounts: DiscordAccount[],
  confirmed: boolean,
): Change {
  const poolName = textOption(invocation, "pool");
  const reasonText = textOption(invocation, "reason");
  const reason = reasonText === undefined ? undefined : freeText(reasonText);

  function command(making: Making): Award | Deduct | { refusal: Refusal } {
    const { rules } = making.state;
    const pool = poolNamed(rules, poolName);
    if (pool === undefined) {
      return {
        refusal: { code: "UNKNOWN_POOL", pool: poolName ?? "", pools: rules.pools.map(({ name }) => name) },
      };
    }
    const parsed = parseAmount(textOption(invocation, "amount") ?? "", pool.decimals);
    if (typeof parsed !== "bigint") {
      return { refusal: parsed };
    }
    const members = accounts.map((account) => making.member(account));
    const points = {
      pool: pool.name,
      amount: parsed,
      members,
      ...(reason !== undefined && { reason }),
    };
    return type === "award" ? { type, ...points, confirmed } : { type, ...points };
  }

  return {
    command,
    shown(outcome, view) {
      if (outcome.kind !== "awarded" && outcome.kind !== "deducted") {
        throw new Error(`A ${type} came out as ${outcome.kind}`);
      }
      const sentence = pointsSentence(outcome, view, reasonText);
      const channelId = view.state.rules.channels.results ?? invocation.channelId;
      const announced = `${sentence}\nEntry #${outcome.entry} by ${mention(invocation.actor.userId)}`;
      const announcements: Announcement[] = [
        { kind: "post", channelId, body: message(announced) },
        ...lapsedEdits(outcome.lapsed, view),
      ];
      return {
        reply: message(
          [
            `${sentence} (entry #${outcome.entry})`,
            ...balanceLines(outcome.members, outcome.pool, view),
            ...lapseLines(outcome.lapsed, view),
          ].join("\n"),
        ),
        announcements,
      };
    },
    refused(refusal, view) {
      if (refusal.code !== "REPEATED_AWARD") {
        return undefined;
      }
      const text = refusalText(refusal, {
        rules: view.state.rules,
        discordId: (member) => view.discordId(member),
        item: (auction) => view.item(auction),
      });
      return message(text, [button("Award again", "again", [invocation.id], { style: "primary" })]);
    },
  };
}

function pointsSentence(
  outcome: Extract<Outcome, { kind: "awarded" | "deducted" }>,
  view: View,
  reason: string | undefined,
): string {
  const { rules } = view.state;
  const amount = pointsText(rules, outcome.pool, outcome.amount);
  const members = enumerated(
    outcome.members.map(({ member }) => who(member, view)),
    25,
  );
  const why = reason === undefined ? "" : `: ${literal(reason, 200)}`;
  return outcome.kind === "awarded"
    ? `**+${amount}** for ${members}${why}`
    : `**−${amount}** for ${members}${why}`;
}

function balanceLines(members: readonly MemberBalance[], pool: string, view: View): string[] {
  const { rules } = view.state;
  return members
    .slice(0, 10)
    .map(({ member, balance }) => `${who(member, view)} now has ${pointsText(rules, pool, balance)}.`);
}

/** What members are told whose leading bids no longer fitted their balances. */
export function lapseLines(lapsed: readonly Lapse[], view: View): string[] {
  return lapsed.map((lapse) => {
    const amount = pointsText(view.state.rules, lapse.pool, lapse.amount);
    return `The bid of ${who(lapse.member, view)} on ${what(lapse.auction, view)} (${amount}) lapsed: the balance no longer covers it.`;
  });
}

/** The live messages of the auctions that lost their leading bid. */
export function lapsedEdits(lapsed: readonly Lapse[], view: View): Announcement[] {
  return [...new Set(lapsed.map(({ auction }) => auction))].flatMap((auction) => auctionEdit(auction, view));
}
