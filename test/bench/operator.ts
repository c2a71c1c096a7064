import type { Progress } from "../cluster/progress.ts";
import { type ApiServer, startApiServer } from "./api-server.ts";
import {
  type Creation,
  type Order,
  createdByOperator,
  createdByWriter,
  requestsByKind,
  startControllers,
} from "./creation.ts";
import { digits } from "./figures.ts";
import { latencies } from "./latency.ts";
import { type OperatorProcess, startOperator } from "./operator-process.ts";

/** `bundle` is the operator's file. */
export type OperatorBench = { bundle: string; guilds: number; rounds: number; progress: Progress };

/** What the operator does once all guilds are Ready. */
export type Idle = {
  rssMb: number;
  peakMb: number;
  /** Requests since its start, its own Lease and Events among them. */
  writes: number;
  reads: number;
  /** What the API server answered until all guilds were Ready, by verb and resource. */
  requests: Map<string, number>;
  changeMs: number[];
  revertMs: number[];
  restart: { writes: number; seconds: number; cpuSeconds: number };
};

export type OperatorRounds = {
  operator: Record<Order, Creation[]>;
  writer: Record<Order, Creation[]>;
  idle: Idle[];
};

const settlingMs = 15_000;

/** Runs the rounds, the bare writer and the operator in turn, each on an API server of its own. */
export async function benchOperator(options: OperatorBench): Promise<OperatorRounds> {
  const { progress, guilds } = options;
  const rounds: OperatorRounds = {
    operator: { appearing: [], present: [] },
    writer: { appearing: [], present: [] },
    idle: [],
  };
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const order of ["appearing", "present"] as const) {
      const named = (who: string) => `round ${round} of ${options.rounds}: ${guilds} guilds ${order}, ${who}`;
      const bare = await progress.step(named("bare writer"), () => writerRound(options, order));
      rounds.writer[order].push(bare);
      const ours = await progress.step(named("operator"), (detail) => operatorRound(options, order, detail));
      rounds.operator[order].push(ours);
      if (ours.idle !== undefined) rounds.idle.push(ours.idle);
      progress.note(`  Ready after ${digits(bare.seconds)} s (writer), ${digits(ours.seconds)} s (operator)`);
    }
  }
  for (const [kind, count] of rounds.idle[0]?.requests ?? [])
    if (count >= guilds / 10) progress.note(`  ${digits(count / guilds)} a guild: ${kind}`);
  return rounds;
}

async function writerRound({ bundle, guilds }: OperatorBench, order: Order): Promise<Creation> {
  return onServer(guilds, async (server) => {
    const controllers = await startControllers(server, guilds);
    const creation = await createdByWriter({ bundle, server, guilds, order }, controllers);
    await controllers.stop();
    return creation;
  });
}

async function operatorRound(
  { bundle, guilds }: OperatorBench,
  order: Order,
  detail: (text: string) => void,
): Promise<Creation & { idle?: Idle }> {
  return onServer(guilds, async (server) => {
    const controllers = await startControllers(server, guilds);
    const stage = { bundle, server, guilds, order };
    const before = await server.metrics();
    const { operator, ...creation } = await createdByOperator(stage, controllers);
    const requests = requestsByKind(before, await server.metrics());
    if (order === "present") {
      await operator.stop();
      await controllers.stop();
      return creation;
    }
    const idle = { requests, ...(await whileIdle(operator, server, guilds, detail)) };
    await operator.stop();
    detail("restarting");
    const restart = await restarted(bundle, server, guilds);
    await controllers.stop();
    return { ...creation, idle: { ...idle, restart } };
  });
}

async function whileIdle(
  operator: OperatorProcess,
  { admin }: ApiServer,
  guilds: number,
  detail: (text: string) => void,
): Promise<Omit<Idle, "requests" | "restart">> {
  detail("settling");
  await operator.idle(guilds);
  await new Promise((resolve) => setTimeout(resolve, settlingMs));
  const { rssMb, peakMb } = operator.usage();
  const [writes, reads] = [await operator.writes(), await operator.reads()];
  detail("changing and disturbing guilds");
  const measured = await latencies(admin, guilds, Math.min(100, guilds));
  await operator.idle(guilds);
  return { rssMb, peakMb, writes, reads, ...measured };
}

/** A new process over guilds that are as they should be. */
async function restarted(bundle: string, server: ApiServer, guilds: number): Promise<Idle["restart"]> {
  const before = await server.metrics();
  const beganMs = performance.now();
  const operator = await startOperator(bundle, server);
  await operator.idle(guilds);
  const seconds = (performance.now() - beganMs) / 1_000;
  const { cpuSeconds } = operator.usage();
  const requests = requestsByKind(before, await server.metrics());
  await operator.stop();
  // Leases, its own and that of the API server's identity, are renewed whatever happens; access reviews change nothing.
  const isWrite = /^(APPLY|PATCH|POST|PUT|DELETE) (?!leases|subjectaccessreviews|tokenreviews)/;
  const writes = [...requests].filter(([kind]) => isWrite.test(kind));
  return { writes: writes.reduce((total, [, count]) => total + count, 0), seconds, cpuSeconds };
}

async function onServer<T>(guilds: number, work: (server: ApiServer) => Promise<T>): Promise<T> {
  const server = await startApiServer(guilds);
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}
