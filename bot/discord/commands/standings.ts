import { ApplicationCommandOptionType } from "../discord-js.ts";
import { standings as standingsOf, standingsCount, type StandingRow } from "../../store/queries.ts";
import { denied, type ButtonCommand, type Doing, type SlashCommand, type Surroundings } from "../command.ts";
import { flagOption, integerOption, textOption } from "../interaction.ts";
import { button, card, message, type MessageBody } from "../message.ts";
import { amountText, poolNamed } from "../points.ts";
import { refusalText } from "../refusal-text.ts";
import { preformatted } from "../text.ts";
import { poolChoices } from "./choices.ts";
import { poolOption } from "./options.ts";

const pageSize = 20;

export const standings: SlashCommand = {
  path: "dkp standings",
  description: "Show who has how many points",
  audience: "everyone",
  options: [
    poolOption,
    {
      type: ApplicationCommandOptionType.Integer,
      name: "page",
      description: "Which page; the first when left out",
      min_value: 1,
      max_value: 100_000,
    },
    {
      type: ApplicationCommandOptionType.Boolean,
      name: "share",
      description: "Show it to everybody in this channel",
    },
  ],
  ephemeral: (invocation) => !flagOption(invocation, "share"),
  autocomplete: poolChoices,
  execute: (invocation, surroundings) =>
    showing(textOption(invocation, "pool"), (integerOption(invocation, "page") ?? 1) - 1, surroundings),
};

/** Turns the pages. */
export const standingsButton: ButtonCommand = {
  action: "standings",
  audience: "everyone",
  execute: ({ arguments: [pool, page] }, surroundings) => showing(pool, Number(page ?? 0), surroundings),
};

function showing(name: string | undefined, page: number, { read, ledger }: Surroundings): Doing {
  const { rules } = ledger.state();
  const pool = poolNamed(rules, name);
  if (pool === undefined) {
    const pools = rules.pools.map((known) => known.name);
    return denied(
      refusalText(
        { code: "UNKNOWN_POOL", pool: name ?? "", pools },
        { rules, discordId: () => undefined, item: () => undefined },
      ),
    );
  }
  return {
    kind: "answer",
    async answer() {
      const { rows, ...place } = await read(async (from) => {
        const count = await standingsCount(from, pool.name);
        const pages = Math.ceil(count / pageSize);
        const shown = Math.max(0, Math.min(Number.isSafeInteger(page) ? page : 0, pages - 1));
        const slice = { pool: pool.name, limit: pageSize, offset: shown * pageSize };
        return { rows: await standingsOf(from, slice), shown, pages, count };
      });
      return place.count === 0
        ? message(`Nobody has any ${pool.name} yet: points appear with the first award.`)
        : table(pool, rows, place);
    },
  };
}

function table(
  pool: { name: string; decimals: number },
  rows: StandingRow[],
  { shown, pages, count }: { shown: number; pages: number; count: number },
): MessageBody {
  const amounts = rows.map(({ amount }) => amountText(amount, pool.decimals));
  const width = Math.max(...amounts.map((text) => text.length));
  const lines = rows.map((row, index) => {
    const rank = String(shown * pageSize + index + 1).padStart(String(count).length);
    const held = row.held === 0n ? "" : ` (${amountText(row.held, pool.decimals)} held)`;
    const name = preformatted(row.name ?? row.discordId ?? row.member, 28);
    return `${rank}  ${amounts[index]?.padStart(width) ?? ""}  ${name}${held}`;
  });
  const turn = (label: string, page: number, disabled: boolean) =>
    button(label, "standings", [pool.name, page, label], { disabled });
  return card(
    {
      title: `Standings: ${pool.name}`,
      lines: ["```", ...lines, "```"],
      footer: `Page ${shown + 1} of ${pages}, ${count} ${count === 1 ? "member" : "members"}`,
    },
    pages === 1
      ? []
      : [turn("Previous", Math.max(0, shown - 1), shown === 0), turn("Next", shown + 1, shown === pages - 1)],
  );
}
