import type { APIApplicationCommandOptionChoice } from "discord.js";
import type { StoredEvent } from "../../ledger/event.ts";
import type { Rules } from "../../ledger/rules.ts";
import { undoableEntries } from "../../store/auction-queries.ts";
import type { Surroundings } from "../command.ts";
import type { AutocompleteInvocation } from "../interaction.ts";
import { changeText } from "../points.ts";
import { plain } from "../text.ts";
import { choiceCount, choiceLimit } from "./options.ts";

/** The newest entries that can be undone, by number and what they were. */
export async function undoableChoices(
  { focused }: AutocompleteInvocation,
  { database, ledger }: Surroundings,
): Promise<APIApplicationCommandOptionChoice[]> {
  const { rules } = ledger.state();
  const entries = await undoableEntries(database, { limit: choiceCount });
  return entries
    .map(({ event, text }) => ({
      name: plain(
        `#${event.seq} ${what(event, rules)}${text === undefined ? "" : `: ${text}`}, ${new Date(event.atMs).toISOString().slice(0, 16).replace("T", " ")} UTC`,
        choiceLimit,
      ),
      value: event.seq,
    }))
    .filter(({ name }) => name.toLowerCase().includes(focused.value.toLowerCase()));
}

function what(event: StoredEvent, rules: Rules): string {
  if (event.type === "PointsAwarded" || event.type === "PointsDeducted") {
    const { pool, amount, members } = event.data;
    const sign = event.type === "PointsAwarded" ? 1n : -1n;
    const many = members.length === 1 ? "1 member" : `${members.length} members`;
    return `${changeText(rules, pool, sign * BigInt(amount))} for ${many}`;
  }
  if (event.type === "AuctionSettled") {
    const { pool, winner } = event.data;
    return winner === undefined ? "no sale" : `sale for ${changeText(rules, pool, BigInt(winner.amount))}`;
  }
  return event.type === "EventReversed" ? `undo of #${event.data.target}` : event.type;
}
