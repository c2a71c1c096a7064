import { parseArgs } from "node:util";
import { progressTo } from "../cluster/progress.ts";
import { benchBot } from "./bot.ts";
import { bundlePrograms } from "./bundles.ts";
import { type Figure, table } from "./figures.ts";
import { operatorFigures } from "./operator-figures.ts";
import { benchOperator } from "./operator.ts";

const usage = `npm run bench -- [operator|bot] [options]: measures against the targets and shows both; all parts when none is named.
  --guilds N   guilds of the operator's part, 1000 by default
  --rounds N   rounds of each part, 3 by default; medians are shown
  --json       the figures as JSON on standard output
  --help       this text
Ends with 0 also where a target is missed, with 1 when something could not be measured.
`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      guilds: { type: "string", default: "1000" },
      rounds: { type: "string", default: "3" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  const [guilds, rounds] = [Number(values.guilds), Number(values.rounds)];
  const parts = positionals.length === 0 ? ["operator", "bot"] : positionals;
  const unknown = parts.filter((part) => part !== "operator" && part !== "bot");
  if (unknown.length > 0 || ![guilds, rounds].every((count) => Number.isInteger(count) && count > 0))
    throw new Error(`This cannot be measured: ${process.argv.slice(2).join(" ")}\n\n${usage}`);
  const terminal = process.stderr.isTTY;
  const progress = progressTo({ write: (text) => void process.stderr.write(text), terminal });
  const bundles = await progress.step("bundling the programs", bundlePrograms);
  const figures: Figure[] = [];
  try {
    if (parts.includes("operator")) {
      const rounded = await benchOperator({ bundle: bundles.operator, guilds, rounds, progress });
      figures.push(...operatorFigures(guilds, rounded));
    }
    if (parts.includes("bot")) figures.push(...(await benchBot({ bundles, rounds, progress })));
  } finally {
    await bundles.remove();
  }
  process.stdout.write(values.json ? `${JSON.stringify(figures, null, 2)}\n` : `\n${table(figures)}`);
}

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));
try {
  await main();
  process.exit(0);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
