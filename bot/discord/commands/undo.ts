import type { Outcome } from "../../ledger/decision.ts";
import type { View } from "../../store/request.ts";
import { always, type ButtonCommand, type SlashCommand } from "../command.ts";
import { integerOption } from "../interaction.ts";
import { account } from "../members.ts";
import { button, card, message, type MessageBody } from "../message.ts";
import { changeText, pointsText } from "../points.ts";
import { refusalText, who } from "../refusal-text.ts";
import { mention } from "../text.ts";
import { undoableChoices } from "./entries.ts";
import { entryOption } from "./options.ts";
import { lapsedEdits, lapseLines } from "./points.ts";

type Undone = Extract<Outcome, { kind: "undone" }>;

export const undo: SlashCommand = {
  path: "dkp undo",
  description: "Take an entry back: shows the consequences first (officers)",
  audience: "officers",
  options: [entryOption],
  ephemeral: always,
  autocomplete: undoableChoices,
  execute: (invocation, { ledger, now }) => ({
    kind: "answer",
    async answer() {
      await ledger.catchUp();
      const entry = integerOption(invocation, "entry") ?? 0;
      const { decision, view } = await ledger.preview({
        command: { type: "undo", entry },
        atMs: now(),
        actor: account(invocation.actor),
      });
      if ("refusal" in decision) {
        const { rules } = view.state;
        return message(
          refusalText(decision.refusal, {
            rules,
            discordId: (member) => view.discordId(member),
            item: (auction) => view.item(auction),
          }),
        );
      }
      return decision.outcome.kind === "undone"
        ? consequences(decision.outcome, view)
        : message("Nothing to undo.");
    },
  }),
};

/** Confirms what `/dkp undo` showed. */
export const undoButton: ButtonCommand = {
  action: "undo",
  audience: "officers",
  execute: (invocation) => ({
    kind: "change",
    change: {
      command: () => ({ type: "undo", entry: Number(invocation.arguments[0]) }),
      shown(outcome, view) {
        if (outcome.kind !== "undone") {
          throw new Error(`An undo came out as ${outcome.kind}`);
        }
        const lines = [
          `Entry #${outcome.target} was undone by ${mention(invocation.actor.userId)} (entry #${outcome.entry}).`,
        ];
        const changes = [...changeLines(outcome, view), ...lapseLines(outcome.lapsed, view)];
        const channelId = view.state.rules.channels.results ?? invocation.channelId;
        return {
          reply: message([...lines, ...changes].join("\n")),
          announcements: [
            { kind: "post", channelId, body: message([...lines, ...changes].join("\n")) },
            ...lapsedEdits(outcome.lapsed, view),
          ],
        };
      },
    },
  }),
};

function consequences(outcome: Undone, view: View): MessageBody {
  return card(
    {
      title: `Undo entry #${outcome.target}?`,
      lines: [
        ...changeLines(outcome, view),
        ...lapseLines(outcome.lapsed, view),
        "",
        "Nothing is changed until you confirm. The entry stays in the history; a new one takes it back.",
      ],
      color: 0xfee75c,
    },
    [button(`Undo #${outcome.target}`, "undo", [outcome.target], { style: "danger" })],
  );
}

function changeLines({ changes }: Undone, view: View): string[] {
  const { rules } = view.state;
  const shown = changes.slice(0, 25).map(({ member, pool, amount, balance }) => {
    const after = pointsText(rules, pool, balance);
    return `${who(member, view)}: ${changeText(rules, pool, amount)}, then has ${after}`;
  });
  return changes.length > shown.length ? [...shown, `and ${changes.length - shown.length} more`] : shown;
}
