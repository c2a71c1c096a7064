import type { EventType } from "../../ledger/event.ts";
import { history as historyOf, memberOf, type HistoryRow } from "../../store/queries.ts";
import type { View } from "../../store/request.ts";
import {
  always,
  denied,
  type ButtonCommand,
  type Doing,
  type SlashCommand,
  type Surroundings,
} from "../command.ts";
import { textOption } from "../interaction.ts";
import { chosenMember } from "../members.ts";
import { button, card, message } from "../message.ts";
import { changeText, pointsText } from "../points.ts";
import { who } from "../refusal-text.ts";
import { literal, mention, moment } from "../text.ts";
import { poolChoices } from "./choices.ts";
import { memberOption, poolOption } from "./options.ts";

const pageSize = 10;
/** Stands for "any pool" in a button, where an empty part would be ambiguous. */
const anyPool = "*";

export const history: SlashCommand = {
  path: "dkp history",
  description: "Show what happened to your points, or to somebody else's",
  audience: "everyone",
  options: [{ ...memberOption, description: "Whose history; yours when left out" }, poolOption],
  ephemeral: always,
  autocomplete: poolChoices,
  execute(invocation, surroundings) {
    const chosen = chosenMember(invocation, "member");
    if (chosen !== undefined && "sentence" in chosen) {
      return denied(chosen.sentence);
    }
    const discordId = chosen?.discordId ?? invocation.actor.userId;
    return showing(discordId, textOption(invocation, "pool"), undefined, surroundings);
  },
};

/** Goes on to older entries, or back to the newest. */
export const historyButton: ButtonCommand = {
  action: "history",
  audience: "everyone",
  execute({ arguments: [discordId = "", pool, before] }, surroundings) {
    const seq = Number(before ?? 0);
    return showing(discordId, pool === anyPool ? undefined : pool, seq > 0 ? seq : undefined, surroundings);
  },
};

function showing(
  discordId: string,
  pool: string | undefined,
  before: number | undefined,
  { read, ledger }: Surroundings,
): Doing {
  return {
    kind: "answer",
    async answer() {
      const rows = await read(async (from) => {
        const member = await memberOf(from, discordId);
        // One more than is shown tells whether there is another page.
        const page = {
          limit: pageSize + 1,
          ...(pool !== undefined && { pool }),
          ...(before !== undefined && { before }),
        };
        return member === undefined ? [] : historyOf(from, member, page);
      });
      if (rows.length === 0) {
        return message(`Nothing has happened to the points of ${mention(discordId)} yet.`);
      }
      const shown = rows.slice(0, pageSize);
      const view = ledger.view();
      const args = [discordId, pool ?? anyPool];
      const buttons = [
        ...(before === undefined ? [] : [button("Newest", "history", [...args, 0])]),
        ...(rows.length > pageSize ? [button("Older", "history", [...args, shown.at(-1)?.seq ?? 0])] : []),
      ];
      return card(
        {
          title: "History",
          lines: [mention(discordId), ...shown.map((row) => line(row, view))],
          footer: "The numbers are those of /dkp undo.",
        },
        buttons,
      );
    },
  };
}

const deeds: Partial<Record<EventType, string>> = {
  PointsAwarded: "award",
  PointsDeducted: "deduction",
  AuctionSettled: "won",
  EventReversed: "undo",
  StartPointsGranted: "start points",
};

function line(row: HistoryRow, view: View): string {
  const { rules } = view.state;
  const text = row.text === undefined ? "" : `: ${literal(row.text, 100)}`;
  const by = row.actor === "leader" || row.actor === "git" ? "" : ` by ${who(row.actor, view)}`;
  const undone = row.reversedBy === undefined ? "" : ` *(undone by #${row.reversedBy})*`;
  const amount = changeText(rules, row.pool, row.amount);
  return `\`#${row.seq}\` **${amount}** ${deeds[row.kind] ?? row.kind}${text}${by}, ${moment(row.atMs)}, then ${pointsText(rules, row.pool, row.balance)}${undone}`;
}
