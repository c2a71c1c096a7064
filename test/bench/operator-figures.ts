import type { Creation, Order } from "./creation.ts";
import { type Figure, digits, median, percentile } from "./figures.ts";
import type { Idle, OperatorRounds } from "./operator.ts";

const seconds = (creations: Creation[]) => median(creations.map((creation) => creation.seconds));
const cpu = (creations: Creation[]) => median(creations.map(({ usage }) => usage.cpuSeconds));
const bothMs = (values: number[]) =>
  `${digits(percentile(values, 0.5))} ms, ${digits(percentile(values, 0.99))} ms`;

/** Medians of the rounds beside their targets. */
export function operatorFigures(guilds: number, rounds: OperatorRounds): Figure[] {
  return [
    ...creation("appearing", guilds, rounds),
    ...creation("present", guilds, rounds),
    ...idling(guilds, rounds.idle),
  ];
}

function creation(order: Order, guilds: number, { operator, writer }: OperatorRounds): Figure[] {
  const [ours, bare] = [seconds(operator[order]), seconds(writer[order])];
  const [oursCpu, bareCpu] = [cpu(operator[order]), cpu(writer[order])];
  return [
    {
      measure: `${guilds} guilds ${order}: throughput against the bare writer`,
      target: "≥ 0.95",
      measured: `${digits(bare / ours)} (${digits(guilds / ours)} guilds/s, ${digits(ours)} s against ${digits(bare)} s)`,
      met: bare / ours >= 0.95,
    },
    {
      measure: `${guilds} guilds ${order}: processor time against the bare writer`,
      target: "≤ 1.5",
      measured: `${digits(oursCpu / bareCpu)} (${digits(oursCpu)} s against ${digits(bareCpu)} s)`,
      met: oursCpu / bareCpu <= 1.5,
    },
  ];
}

/** One write a child and one of the status. */
const fewestWrites = 15;

function idling(guilds: number, idle: Idle[]): Figure[] {
  const middle = (value: (round: Idle) => number) => median(idle.map(value));
  const changes = idle.flatMap(({ changeMs }) => changeMs);
  const reverts = idle.flatMap(({ revertMs }) => revertMs);
  const rss = middle(({ rssMb }) => rssMb);
  const writes = middle((round) => round.writes) / guilds;
  const restartWrites = Math.max(...idle.map(({ restart }) => restart.writes));
  return [
    {
      measure: "writes a guild until Ready, with Events (reads)",
      target: String(fewestWrites),
      measured: `${digits(writes)} (${digits(middle(({ reads }) => reads) / guilds)})`,
      met: writes < fewestWrites + 0.1,
    },
    {
      measure: `RSS with ${guilds} guilds, settled (peak)`,
      target: "≤ 110 MB",
      measured: `${digits(rss)} MB (${digits(middle(({ peakMb }) => peakMb))} MB)`,
      met: rss <= 110,
    },
    {
      measure: "restart with nothing changed: writes",
      target: "0",
      measured: String(restartWrites),
      met: restartWrites === 0,
    },
    {
      measure: "restart: process start → all guilds looked at",
      target: "",
      measured: `${digits(middle(({ restart }) => restart.seconds))} s (processor ${digits(middle(({ restart }) => restart.cpuSeconds))} s)`,
    },
    {
      measure: `change → child while ${guilds} guilds idle, p50, p99`,
      target: "p99 ≤ 50 ms",
      measured: bothMs(changes),
      met: percentile(changes, 0.99) <= 50,
    },
    {
      measure: `drift → reverted while ${guilds} guilds idle, p50, p99`,
      target: "p99 ≤ 100 ms",
      measured: bothMs(reverts),
      met: percentile(reverts, 0.99) <= 100,
    },
  ];
}
