import type { Progress } from "../../cluster/progress.ts";
import type { Order } from "../creation.ts";
import { digits } from "../figures.ts";
import { openArena } from "./arena.ts";
import { type ContestantName, type Start, titles } from "./contestants.ts";
import { many } from "./many.ts";
import type { Results } from "./results.ts";
import { trial } from "./trial.ts";

export const parts = ["appearing", "present", "many"] as const;
export type Part = (typeof parts)[number];

export type Contest = {
  guilds: number;
  guildsMany: number;
  rounds: number;
  names: ContestantName[];
  parts: Part[];
  starts: Record<ContestantName, Start>;
  results: Results;
  progress: Progress;
};

type Turn = { round: number; order: Order; name: ContestantName };

/** Who looks at every guild from time to time by itself. */
const resyncing = new Set<ContestantName>(["ours", "controller-runtime", "controller-runtime-default"]);

/** Who is compared at very many guilds: the others would take longer than anybody waits. */
const patient: ContestantName[] = ["ours", "controller-runtime"];
/** Who is also compared over guilds that are there already. */
const starters = new Set<ContestantName>(["ours", "writer", "controller-runtime"]);

/** Seconds a guild until Ready on two cores, to say how long all will take. */
const pace: Record<ContestantName, number> = {
  ours: 0.045,
  writer: 0.04,
  "controller-runtime": 0.05,
  "controller-runtime-default": 0.12,
  kopf: 0.06,
  "client-node": 0.09,
};

function turns({ rounds, names, parts, results }: Contest): Turn[] {
  const orders = (["appearing", "present"] as const).filter((order) => parts.includes(order));
  const all: Turn[] = [];
  for (let round = 1; round <= rounds; round += 1)
    for (const order of orders) for (const name of inTurn(names, round)) all.push({ round, order, name });
  return all.filter(
    ({ round, order, name }) =>
      (order === "appearing" || starters.has(name)) && results.trial(round, order, name) === undefined,
  );
}

/** Another one begins each round, and every other round goes backwards: nobody always comes first or after the same one. */
function inTurn(names: ContestantName[], round: number): ContestantName[] {
  const first = (round - 1) % names.length;
  const turned = [...names.slice(first), ...names.slice(0, first)];
  return round % 2 === 0 ? turned.toReversed() : turned;
}

function expectedSeconds({ guilds }: Contest, { round, order, name }: Turn): number {
  const stays = order === "appearing" && name !== "writer";
  const idling = stays ? 30 + 0.012 * Math.min(guilds, 1_000) + (round === 1 ? 60 : 0) : 0;
  return guilds * (pace[name] + 0.02) + 8 + idling;
}

/** About how long what is still to be measured will take, in seconds. */
export function expected(contest: Contest): number {
  const rounds = turns(contest).reduce((sum, turn) => sum + expectedSeconds(contest, turn), 0);
  const left = manyNames(contest).length;
  return rounds + (left === 0 ? 0 : contest.guildsMany * (0.075 + 0.02 * left) + 60 * left);
}

function manyNames({ parts, names, results }: Contest): ContestantName[] {
  if (!parts.includes("many")) return [];
  return patient.filter((name) => names.includes(name) && results.many(name) === undefined);
}

/** Measures what is not measured yet: all rounds on one API server, very many guilds on another. */
export async function contest(options: Contest): Promise<void> {
  await playRounds(options);
  const names = manyNames(options);
  if (names.length === 0) return;
  const { guildsMany: guilds, starts, progress, results } = options;
  await many({ guilds, names, starts, progress, done: results.keepMany });
}

async function playRounds(options: Contest): Promise<void> {
  const { guilds, rounds, starts, results, progress } = options;
  const left = turns(options);
  if (left.length === 0) return;
  const arena = await progress.step("an API server for all", () => openArena(guilds));
  try {
    for (const [index, turn] of left.entries()) {
      const { round, order, name } = turn;
      const title = `round ${round} of ${rounds}, ${guilds} guilds ${order}: ${titles[name]}`;
      // One restart tells as much as five: it does the same each time.
      const how = { stays: name !== "writer", restarts: round === 1, resyncs: resyncing.has(name) };
      const result = await progress.step(title, (detail) =>
        trial({ arena, start: starts[name], guilds, order, ...how, detail }),
      );
      await results.keepTrial(round, order, name, result);
      const rest = left.slice(index + 1).reduce((sum, next) => sum + expectedSeconds(options, next), 0);
      progress.note(
        `  Ready after ${digits(result.seconds)} s, processor ${digits(result.cpuSeconds)} s, ${digits(result.counts.writes / guilds)} writes a guild; about ${Math.ceil(rest / 60)} min of rounds left`,
      );
    }
  } finally {
    await arena.stop();
  }
}
