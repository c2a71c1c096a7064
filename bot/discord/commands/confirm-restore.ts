import { always, type SlashCommand } from "../command.ts";
import { message } from "../message.ts";
import { restoredTo } from "../refusal-text.ts";
import { mention } from "../text.ts";

/** Ends the wait after a restore: until then nothing changes and no job runs. */
export const confirmRestore: SlashCommand = {
  path: "dkp-admin confirm-restore",
  description: "After a restore from a backup: let changes and auctions go on (officers)",
  audience: "officers",
  inMaintenance: true,
  options: [],
  ephemeral: always,
  execute: (invocation) => ({
    kind: "change",
    change: {
      command: () => ({ type: "confirmRestore" }),
      shown(outcome, view) {
        if (outcome.kind !== "restoreConfirmed") {
          throw new Error(`A confirmation came out as ${outcome.kind}`);
        }
        const { channels } = view.state.rules;
        const told = `The points were restored from a backup, ${restoredTo(outcome.target)}; ${mention(invocation.actor.userId)} confirmed it (entry #${outcome.entry}).`;
        const auctions =
          outcome.openAuctions === 0
            ? ""
            : ` Auctions that are open again: ${outcome.openAuctions}; those whose time is over are settled now.`;
        return {
          reply: message(`${told}${auctions} Changes are possible again.`),
          announcements:
            channels.results === undefined
              ? []
              : [{ kind: "post", channelId: channels.results, body: message(`${told}${auctions}`) }],
        };
      },
    },
  }),
};
