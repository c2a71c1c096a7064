import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { progressTo } from "../../cluster/progress.ts";
import { table } from "../figures.ts";
import { type Contest, type Part, contest, expected, parts } from "./contest.ts";
import { type ContestantName, contestantNames, prepare } from "./contestants.ts";
import { comparison, targets } from "./figures.ts";
import { openResults } from "./results.ts";

const usage = `npm run bench:operator -- [options]: the operator beside its peers, all on one API server, in turns.
  --guilds N         guilds of each round, 1000 by default
  --rounds N         rounds, 5 by default; medians are shown
  --peers A,B,…      of ${contestantNames.join(", ")}; all by default
  --only PART,…      of ${parts.join(", ")}; all by default. appearing: guilds made while all run, then idling and a
                     restart; present: guilds that are there already; many: a restart over very many
  --guilds-many N    guilds of the part "many", 10000 by default
  --resume           goes on from what an earlier run of as many guilds has measured
  --json             the figures as JSON on standard output
  --help             this text
Ends with 0 also where a target is missed, with 1 when something could not be measured.
`;

function options() {
  const { values } = parseArgs({
    options: {
      guilds: { type: "string", default: "1000" },
      rounds: { type: "string", default: "5" },
      peers: { type: "string", default: contestantNames.join(",") },
      only: { type: "string", default: parts.join(",") },
      "guilds-many": { type: "string", default: "10000" },
      resume: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const numbers = [values.guilds, values.rounds, values["guilds-many"]].map(Number);
  const [guilds = 0, rounds = 0, guildsMany = 0] = numbers;
  const names = values.peers.split(",") as ContestantName[];
  const wanted = values.only.split(",") as Part[];
  const known =
    names.every((name) => contestantNames.includes(name)) && wanted.every((part) => parts.includes(part));
  if (!known || !numbers.every((count) => Number.isInteger(count) && count > 0))
    throw new Error(`This cannot be measured: ${process.argv.slice(2).join(" ")}\n\n${usage}`);
  return { ...values, guilds, rounds, guildsMany, names, parts: wanted };
}

async function main(): Promise<void> {
  const { guilds, rounds, guildsMany, names, parts, resume, json, help } = options();
  if (help) {
    process.stdout.write(usage);
    return;
  }
  const terminal = process.stderr.isTTY;
  const progress = progressTo({ write: (text) => void process.stderr.write(text), terminal });
  const folder = await mkdtemp(join(tmpdir(), "dkp-contest-programs-"));
  try {
    const results = await openResults(guilds, guildsMany, resume);
    const starts = await prepare(names, folder, progress);
    const all: Contest = { guilds, guildsMany, rounds, names, parts, starts, results, progress };
    progress.note(
      `About ${Math.ceil(expected(all) / 60)} min on two quiet cores. Each figure is kept in ${results.file}; a run that was cut short goes on with --resume.`,
    );
    await contest(all);
    const measured = { targets: targets(all), peers: comparison(all) };
    process.stdout.write(
      json ? `${JSON.stringify(measured, null, 2)}\n` : `\n${table(measured.targets)}\n${measured.peers}`,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));
try {
  await main();
  process.exit(0);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
