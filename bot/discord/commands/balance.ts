import { balances, memberOf } from "../../store/queries.ts";
import { always, denied, type SlashCommand } from "../command.ts";
import { chosenMember } from "../members.ts";
import { message } from "../message.ts";
import { pointsText } from "../points.ts";
import { literal, mention } from "../text.ts";
import { memberOption } from "./options.ts";

export const balance: SlashCommand = {
  path: "dkp balance",
  description: "Show your points, or somebody else's",
  audience: "everyone",
  options: [{ ...memberOption, description: "Whose points; yours when left out" }],
  ephemeral: always,
  execute(invocation, { read, ledger }) {
    const chosen = chosenMember(invocation, "member");
    if (chosen !== undefined && "sentence" in chosen) {
      return denied(chosen.sentence);
    }
    const discordId = chosen?.discordId ?? invocation.actor.userId;
    return {
      kind: "answer",
      async answer() {
        const rows = await read(async (from) => {
          const member = await memberOf(from, discordId);
          return member === undefined ? [] : balances(from, member);
        });
        const { rules } = ledger.state();
        const whose = chosen === undefined ? "You have" : `${mention(discordId)} has`;
        const lines = rules.pools.map((pool) => {
          const row = rows.find(({ pool: name }) => name === pool.name);
          const amount = row?.amount ?? pool.startPoints;
          const held = row?.held ?? 0n;
          const points = (hundredths: bigint) => pointsText(rules, pool.name, hundredths);
          const free =
            held === 0n ? "" : ` (${points(held)} held by leading bids, ${points(amount - held)} available)`;
          return `**${points(amount)}**${free}`;
        });
        // Points of a pool that the rules no longer name are not gone.
        const former = rows
          .filter(({ pool, amount }) => amount !== 0n && !rules.pools.some(({ name }) => name === pool))
          .map(({ pool, amount }) => `**${pointsText(rules, pool, amount)}** (former pool ${literal(pool)})`);
        return message(`${whose} ${[...lines, ...former].join(", ")}.`);
      },
    };
  },
};
