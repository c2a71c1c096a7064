import type { Progress } from "../cluster/progress.ts";
import { startApiServer } from "./api-server.ts";
import type { ApiServer } from "./api-server.ts";
import {
  type Creation,
  type Order,
  createdByOperator,
  createdByWriter,
  requestsByKind,
  startControllers,
} from "./creation.ts";
import { type Figure, digits, median, percentile } from "./figures.ts";
import { latencies } from "./latency.ts";
import { type OperatorProcess, startOperator } from "./operator-process.ts";

export type OperatorBench = { guilds: number; rounds: number; progress: Progress };

type Idle = {
  rssMb: number;
  peakMb: number;
  writes: number;
  reads: number;
  requests: Map<string, number>;
  changeMs: number[];
  revertMs: number[];
  restart: { writes: number; seconds: number; cpuSeconds: number; rssMb: number };
};
type Rounds = { operator: Record<Order, Creation[]>; writer: Record<Order, Creation[]>; idle: Idle[] };

/** Runs the rounds, the operator and the bare writer in turn, each on an API server of its own. */
export async function benchOperator(options: OperatorBench): Promise<Figure[]> {
  const { progress, guilds } = options;
  const rounds: Rounds = {
    operator: { appearing: [], present: [] },
    writer: { appearing: [], present: [] },
    idle: [],
  };
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const order of ["appearing", "present"] as const) {
      const named = (who: string) => `round ${round} of ${options.rounds}: ${guilds} guilds ${order}, ${who}`;
      await progress.step(named("bare writer"), async (detail) => {
        rounds.writer[order].push(await writerRound(guilds, order));
        detail("stopping");
      });
      await progress.step(named("operator"), async (detail) => {
        const { idle, ...creation } = await operatorRound(guilds, order, detail);
        rounds.operator[order].push(creation);
        if (idle !== undefined) rounds.idle.push(idle);
      });
      progress.note(
        `  seconds: writer ${digits(rounds.writer[order].at(-1)?.seconds ?? 0)}, operator ${digits(rounds.operator[order].at(-1)?.seconds ?? 0)}`,
      );
    }
  }
  for (const [kind, count] of rounds.idle[0]?.requests ?? [])
    if (count >= guilds / 10) progress.note(`  ${digits(count / guilds)} a guild: ${kind}`);
  return figures(guilds, rounds);
}

async function writerRound(guilds: number, order: Order): Promise<Creation> {
  return onServer(guilds, async (server) => {
    const controllers = await startControllers({ server, guilds, order });
    const creation = await createdByWriter({ server, guilds, order }, controllers);
    await controllers.stop();
    return creation;
  });
}

async function operatorRound(guilds: number, order: Order, detail: (text: string) => void) {
  return onServer(guilds, async (server) => {
    const controllers = await startControllers({ server, guilds, order });
    const before = await server.metrics();
    const { operator, ...creation } = await createdByOperator({ server, guilds, order }, controllers);
    const requests = requestsByKind(before, await server.metrics());
    const idle =
      order === "present" ? undefined : await idleRound(server, operator, guilds, requests, detail);
    if (idle === undefined) await operator.stop();
    await controllers.stop();
    return { ...creation, idle };
  });
}

/** What the operator does when there is nothing, or little, to do. Ends it. */
async function idleRound(
  server: ApiServer,
  operator: OperatorProcess,
  guilds: number,
  requests: Map<string, number>,
  detail: (text: string) => void,
): Promise<Idle> {
  detail("settling");
  await operator.idle(guilds);
  const [writes, reads] = [await operator.writes(), await operator.reads()];
  await new Promise((resolve) => setTimeout(resolve, 15_000));
  const { rssMb, peakMb } = operator.usage();
  detail("changing and disturbing guilds");
  const measured = await latencies(server.admin, guilds, Math.min(100, guilds));
  await operator.idle(guilds);
  await operator.stop();
  detail("restarting");
  return { rssMb, peakMb, writes, reads, requests, ...measured, restart: await restarted(server, guilds) };
}

/** A new process over guilds that are as they should be. */
async function restarted(server: ApiServer, guilds: number): Promise<Idle["restart"]> {
  const before = await server.metrics();
  const beganMs = performance.now();
  const operator = await startOperator(server);
  await operator.idle(guilds);
  const seconds = (performance.now() - beganMs) / 1_000;
  const { cpuSeconds, rssMb } = operator.usage();
  const kinds = requestsByKind(before, await server.metrics());
  await operator.stop();
  // Its own Lease, and that of the API server's identity, are renewed whatever happens.
  const writes = [...kinds].filter(([kind]) =>
    /^(APPLY|PATCH|POST|PUT|DELETE) (?!leases|subjectaccessreviews|tokenreviews)/.test(kind),
  );
  return { writes: writes.reduce((total, [, count]) => total + count, 0), seconds, cpuSeconds, rssMb };
}

async function onServer<T>(guilds: number, work: (server: ApiServer) => Promise<T>): Promise<T> {
  const server = await startApiServer(guilds);
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

function figures(guilds: number, { operator, writer, idle }: Rounds): Figure[] {
  const seconds = (creations: Creation[]) => median(creations.map((creation) => creation.seconds));
  const cpu = (creations: Creation[]) => median(creations.map(({ usage }) => usage.cpuSeconds));
  const middle = (value: (round: Idle) => number) => median(idle.map(value));
  const creation = (["appearing", "present"] as const).flatMap((order): Figure[] => {
    const [ours, bare] = [seconds(operator[order]), seconds(writer[order])];
    const ratio = bare / ours;
    const cpuRatio = cpu(operator[order]) / cpu(writer[order]);
    return [
      {
        measure: `${guilds} guilds ${order}: throughput against the bare writer`,
        target: "≥ 0.95",
        measured: `${digits(ratio)} (${digits(guilds / ours)} guilds/s in ${digits(ours)} s against ${digits(bare)} s)`,
        met: ratio >= 0.95,
      },
      {
        measure: `${guilds} guilds ${order}: processor time against the bare writer`,
        target: "≤ 1.5",
        measured: `${digits(cpuRatio)} (${digits(cpu(operator[order]))} s against ${digits(cpu(writer[order]))} s)`,
        met: cpuRatio <= 1.5,
      },
    ];
  });
  const changes = idle.flatMap(({ changeMs }) => changeMs);
  const reverts = idle.flatMap(({ revertMs }) => revertMs);
  const ms = (values: number[]) =>
    `${digits(percentile(values, 0.5))} ms, ${digits(percentile(values, 0.99))} ms`;
  const rss = middle(({ rssMb }) => rssMb);
  const restartWrites = Math.max(...idle.map(({ restart }) => restart.writes));
  return [
    ...creation,
    {
      measure: "writes a guild until Ready (reads)",
      target: "15",
      measured: `${digits(middle(({ writes }) => writes) / guilds)} (${digits(middle(({ reads }) => reads) / guilds)})`,
      met: middle(({ writes }) => writes) <= 15.1 * guilds,
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
      measure: "restart with nothing changed: all guilds looked at",
      target: "",
      measured: `${digits(middle(({ restart }) => restart.seconds))} s, processor ${digits(middle(({ restart }) => restart.cpuSeconds))} s`,
    },
    {
      measure: `change → child while ${guilds} guilds idle, p50, p99`,
      target: "p99 ≤ 50 ms",
      measured: ms(changes),
      met: percentile(changes, 0.99) <= 50,
    },
    {
      measure: `drift → reverted while ${guilds} guilds idle, p50, p99`,
      target: "p99 ≤ 100 ms",
      measured: ms(reverts),
      met: percentile(reverts, 0.99) <= 100,
    },
  ];
}
