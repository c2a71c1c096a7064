import type { Order } from "../creation.ts";
import { type Figure, aligned, digits, median, percentile } from "../figures.ts";
import type { Contest } from "./contest.ts";
import { type ContestantName, titles } from "./contestants.ts";
import type { Results } from "./results.ts";
import { type Trial, patienceSeconds } from "./trial.ts";

/** A median over rounds; NaN where nothing was measured. */
type Of = (name: ContestantName, order: Order, value: (trial: Trial) => number | undefined) => number;

function medians({ trials }: Results): Of {
  return (name, order, value) =>
    median(
      trials(order, name)
        .flatMap((trial) => value(trial) ?? [])
        .filter((measured) => !Number.isNaN(measured)),
    );
}

/** One write a child, one of the status. */
const fewestWrites = 15;

/** The design's targets beside what was measured; what was not measured is left out. */
export function targets(contest: Contest): Figure[] {
  const figures = [
    ...creation(contest, "appearing"),
    ...creation(contest, "present"),
    ...idling(contest),
    ...manyFigures(contest),
  ];
  return figures.filter(({ measured }) => !measured.includes("NaN"));
}

function creation({ results, names, guilds }: Contest, order: Order): Figure[] {
  const of = medians(results);
  const seconds = (name: ContestantName) => of(name, order, (trial) => trial.seconds);
  const cpu = (name: ContestantName) => of(name, order, (trial) => trial.cpuSeconds);
  const others = names.filter((name) => name !== "ours" && name !== "writer" && !Number.isNaN(seconds(name)));
  const fastest = others.toSorted((a, b) => seconds(a) - seconds(b))[0];
  const [ours, writer] = [seconds("ours"), seconds("writer")];
  const ratio = (other: ContestantName, most: number, title: string): Figure => ({
    measure: `${guilds} guilds ${order}: processor time against ${title}`,
    target: `≤ ${most}`,
    measured: `${digits(cpu("ours") / cpu(other))} (${digits(cpu("ours"))} s against ${digits(cpu(other))} s)`,
    met: cpu("ours") / cpu(other) <= most,
  });
  const race: Figure[] =
    fastest === undefined
      ? []
      : [
          {
            measure: `${guilds} guilds ${order}: against the fastest peer`,
            target: "faster",
            measured: `${digits(ours)} s against ${digits(seconds(fastest))} s (${titles[fastest]})`,
            met: ours < seconds(fastest),
          },
        ];
  return [
    {
      measure: `${guilds} guilds ${order}: throughput against the bare writer`,
      target: "≥ 0.95",
      measured: `${digits(writer / ours)} (${digits(guilds / ours)} guilds/s, ${digits(ours)} s against ${digits(writer)} s)`,
      met: writer / ours >= 0.95,
    },
    ...race,
    ratio("writer", 1.5, "the bare writer"),
    ratio("controller-runtime", 0.7, "controller-runtime, tuned alike"),
  ];
}

function zero(measure: string, measured: number): Figure {
  return { measure, target: "0", measured: String(measured), met: measured === 0 };
}

function idling({ results, guilds }: Contest): Figure[] {
  const of = medians(results);
  const trials = results.trials("appearing", "ours");
  const middle = (value: (trial: Trial) => number | undefined) => of("ours", "appearing", value);
  const most = (value: (trial: Trial) => number | undefined) =>
    trials.length === 0 ? Number.NaN : Math.max(...trials.map((trial) => value(trial) ?? Number.NaN));
  const writes = middle(({ counts }) => counts.writes) / guilds;
  const rss = middle(({ settled }) => settled?.rssMb);
  const latency = (what: string, values: number[], most: number): Figure => ({
    measure: `${what} while ${guilds} guilds idle, p50, p99`,
    target: `p99 ≤ ${most} ms`,
    measured: `${digits(percentile(values, 0.5))} ms, ${digits(percentile(values, 0.99))} ms`,
    met: percentile(values, 0.99) <= most,
  });
  return [
    {
      measure: "writes a guild until Ready and settled, Events among them (reads)",
      target: `${fewestWrites}`,
      measured: `${digits(writes)} (${digits(middle(({ counts }) => counts.reads) / guilds)})`,
      met: writes < fewestWrites + 0.1,
    },
    {
      measure: `RSS with ${guilds} guilds, settled (peak)`,
      target: "≤ 110 MB",
      measured: `${digits(rss)} MB (${digits(middle(({ settled }) => settled?.peakMb))} MB)`,
      met: rss <= 110,
    },
    zero(
      `every one of ${guilds} guilds looked at again: writes`,
      most(({ resyncWrites }) => resyncWrites),
    ),
    zero(
      `restart with ${guilds} guilds: writes`,
      most(({ restart }) => restart?.writes),
    ),
    latency(
      "change → child",
      trials.flatMap(({ changeMs }) => changeMs ?? []),
      50,
    ),
    latency(
      "drift → reverted",
      trials.flatMap(({ revertMs }) => revertMs ?? []),
      100,
    ),
  ];
}

function manyFigures({ results, guildsMany }: Contest): Figure[] {
  const ours = results.many("ours");
  if (ours === undefined) return [];
  return [
    {
      measure: `RSS with ${guildsMany} guilds, settled after a restart (peak)`,
      target: "≤ 300 MB",
      measured: `${digits(ours.rssMb)} MB (${digits(ours.peakMb)} MB)`,
      met: ours.rssMb <= 300,
    },
    {
      measure: `restart with ${guildsMany} guilds: ready (every guild looked at)`,
      target: "≤ 15 s",
      measured: `${digits(ours.readySeconds)} s (${digits(ours.idleSeconds)} s)`,
      met: ours.readySeconds <= 15,
    },
    {
      measure: `restart with ${guildsMany} guilds: writes`,
      target: "0",
      measured: String(ours.writes),
      met: ours.writes === 0,
    },
  ];
}

/** All contestants beside each other, as a Markdown table. */
export function comparison({ results, names, guilds, guildsMany }: Contest): string {
  const of = medians(results);
  const head = [
    "",
    "Ready after s (appearing / present)",
    "processor s",
    "RSS MB (peak)",
    "writes a guild (Events)",
    "reads",
    "restart: writes, ready s, idle s",
    "again: writes",
    "change, revert p99 ms",
    `${guildsMany}: RSS MB, ready s, idle s`,
  ];
  const rows = names.map((name) => {
    const middle = (value: (trial: Trial) => number | undefined) => of(name, "appearing", value);
    const present = (value: (trial: Trial) => number | undefined) => of(name, "present", value);
    const trials = results.trials("appearing", name);
    const p99 = (value: (trial: Trial) => number[] | undefined) =>
      percentile(
        trials.flatMap((trial) => value(trial) ?? []),
        0.99,
      );
    const many = results.many(name);
    return [
      titles[name],
      row([middle(({ seconds }) => seconds), present(({ seconds }) => seconds)], " / "),
      row([middle(({ cpuSeconds }) => cpuSeconds), present(({ cpuSeconds }) => cpuSeconds)], " / "),
      within(
        middle(({ settled }) => settled?.rssMb),
        middle(({ settled }) => settled?.peakMb),
      ),
      within(middle(({ counts }) => counts.writes) / guilds, middle(({ counts }) => counts.events) / guilds),
      shown(middle(({ counts }) => counts.reads) / guilds),
      restart(middle),
      shown(middle(({ resyncWrites }) => resyncWrites)),
      row([p99(({ changeMs }) => changeMs), p99(({ revertMs }) => revertMs)]),
      many === undefined ? "–" : row([many.rssMb, many.readySeconds, many.idleSeconds]),
    ];
  });
  return aligned(head, rows);
}

const shown = (value: number) => (Number.isNaN(value) ? "–" : digits(value));
const within = (value: number, inner: number) =>
  Number.isNaN(value) ? "–" : `${shown(value)} (${shown(inner)})`;

/** Of one that is busy for longer than anybody watched, at least that much is known. */
function restart(middle: (value: (trial: Trial) => number | undefined) => number): string {
  const idle = middle(({ restart }) => restart?.idleSeconds);
  const begun = row([
    middle(({ restart }) => restart?.writes),
    middle(({ restart }) => restart?.readySeconds),
  ]);
  return Number.isNaN(idle) ? begun : `${begun}, ${idle >= patienceSeconds ? "> " : ""}${shown(idle)}`;
}

function row(values: number[], between = ", "): string {
  return values.every((value) => Number.isNaN(value)) ? "–" : values.map(shown).join(between);
}
