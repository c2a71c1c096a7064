import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { cacheFolder } from "../../cluster/cache.ts";
import type { Order } from "../creation.ts";
import type { ContestantName } from "./contestants.ts";
import type { Many } from "./many.ts";
import type { Trial } from "./trial.ts";

/** Everything measured so far, in a file that a run which was cut short goes on from. */
export type Results = {
  file: string;
  trial(round: number, order: Order, name: ContestantName): Trial | undefined;
  keepTrial(round: number, order: Order, name: ContestantName, trial: Trial): Promise<void>;
  many(name: ContestantName): Many | undefined;
  keepMany(name: ContestantName, many: Many): Promise<void>;
  /** All rounds of one contestant. */
  trials(order: Order, name: ContestantName): Trial[];
};

function key(round: number, order: Order, name: ContestantName): string {
  return `${round} ${order} ${name}`;
}

type Stored = { trials: Record<string, Trial>; many: Record<string, Many> };

/** Opens the results of so many guilds; what an earlier run left there is kept only to `resume` it. */
export async function openResults(guilds: number, guildsMany: number, resume: boolean): Promise<Results> {
  const file = join(cacheFolder(process.env), "bench", `operator-${guilds}-${guildsMany}.json`);
  const kept = resume ? await readFile(file, "utf8").catch(() => undefined) : undefined;
  const stored: Stored = kept === undefined ? { trials: {}, many: {} } : (JSON.parse(kept) as Stored);
  const save = async () => {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(`${file}.${process.pid}`, JSON.stringify(stored, null, 1));
    await rename(`${file}.${process.pid}`, file);
  };
  return {
    file,
    trial: (round, order, name) => stored.trials[key(round, order, name)],
    async keepTrial(round, order, name, trial) {
      stored.trials[key(round, order, name)] = trial;
      await save();
    },
    many: (name) => stored.many[name],
    async keepMany(name, result) {
      stored.many[name] = result;
      await save();
    },
    trials: (order, name) =>
      Object.entries(stored.trials)
        .filter(([stored]) => stored.endsWith(` ${order} ${name}`))
        .map(([, trial]) => trial),
  };
}
