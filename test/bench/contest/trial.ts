import type { Creation, Order } from "../creation.ts";
import { startControllers, timed } from "../creation.ts";
import { latencies } from "../latency.ts";
import type { Program } from "../program.ts";
import type { Arena } from "./arena.ts";
import type { Counts } from "./audit.ts";
import { clean } from "./clean.ts";
import type { Start } from "./contestants.ts";
import { quiet } from "./quiet.ts";
import { verify } from "./verify.ts";

/** A process that finds everything as it should be. */
export type Restart = {
  writes: number;
  /** From its start until it says that it is ready, and until it has nothing more to do; `patienceSeconds` or more: still busy then. */
  readySeconds: number;
  idleSeconds: number;
  cpuSeconds: number;
  rssMb: number;
};

/** What one contestant did with all guilds, once. */
export type Trial = {
  seconds: number;
  cpuSeconds: number;
  /** Up to the point when it had nothing more to do. */
  counts: Counts;
  settled?: { rssMb: number; peakMb: number; cpuSeconds: number };
  changeMs?: number[];
  revertMs?: number[];
  restart?: Restart;
  /** While every guild is looked at once more; only of those who do that. */
  resyncWrites?: number;
};

export type Bout = {
  arena: Arena;
  start: Start;
  guilds: number;
  order: Order;
  /** Whether it is watched after all guilds are Ready; a writer has nothing to show then. */
  stays: boolean;
  /** Whether it is also started over what it has made. */
  restarts: boolean;
  /** Whether it looks at every guild from time to time. */
  resyncs: boolean;
  detail: (text: string) => void;
};

const settlingMs = 15_000;
const resyncSeconds = 15;
/** How long a restart is watched. */
export const patienceSeconds = 180;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Lets one contestant bring all guilds up on the arena, and clears it away. */
export async function trial(bout: Bout): Promise<Trial> {
  const { arena, guilds, order, detail } = bout;
  await arena.audit.since();
  const controllers = await startControllers(arena.server, guilds);
  detail("bringing guilds up");
  const { result, ...creation } = await timed(
    { server: arena.server, guilds, order },
    controllers,
    async () => {
      const started = await bout.start(arena, { guilds });
      // Who finds no guilds yet begins when it is up and warm.
      if (order === "appearing") await quiet(started, 1_000);
      return started;
    },
  );
  const stays = bout.stays && order === "appearing";
  const found = stays ? await whileIdle(bout, result, creation) : await ended(bout, result, creation);
  const restart = stays && bout.restarts ? await restarted(bout) : {};
  await verify(arena, guilds);
  await controllers.stop();
  detail("clearing away");
  await clean(arena.server);
  return { ...found, ...restart };
}

async function ended({ arena }: Bout, running: Program, { seconds, usage }: Creation): Promise<Trial> {
  await running.stop();
  return { seconds, cpuSeconds: usage.cpuSeconds, counts: await arena.audit.since() };
}

async function whileIdle(bout: Bout, running: Program, { seconds, usage }: Creation): Promise<Trial> {
  const { arena, guilds, detail } = bout;
  detail("settling");
  await pause(settlingMs);
  await quiet(running);
  const counts = await arena.audit.since();
  const settled = running.usage();
  detail("changing and disturbing guilds");
  const measured = await inTime(latencies(arena.server.admin, guilds, Math.min(100, guilds)));
  await quiet(running);
  await running.stop();
  return { seconds, cpuSeconds: usage.cpuSeconds, counts, settled, ...measured };
}

/** A guild that nobody puts right would be waited for until the end of days. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  const ending = new AbortController();
  const tooLate = pause(600_000).then(() => {
    ending.signal.throwIfAborted();
    throw new Error("a change or a disturbance was not answered");
  });
  tooLate.catch(() => undefined);
  return Promise.race([work, tooLate]).finally(() => ending.abort());
}

async function restarted(bout: Bout): Promise<Pick<Trial, "restart" | "resyncWrites">> {
  const { arena, detail } = bout;
  detail("restarting");
  const { running, restart } = await restartedAt(arena, bout.start, bout.resyncs ? { resyncSeconds } : {});
  if (!bout.resyncs) {
    await running.stop();
    return { restart };
  }
  detail("looking at all guilds once more");
  await pause(2_000 * resyncSeconds);
  const { writes } = await arena.audit.since();
  await running.stop();
  return { restart, resyncWrites: writes };
}

/** Starts a process over what is there already, and leaves it running. */
export async function restartedAt(
  arena: Arena,
  start: Start,
  { patience = patienceSeconds, ...options }: { resyncSeconds?: number; patience?: number } = {},
): Promise<{ running: Program; restart: Restart }> {
  await arena.audit.since();
  const beganMs = Date.now();
  const running = await start(arena, options);
  const readySeconds = (Date.now() - beganMs) / 1_000;
  const idleMs = await quiet(running, 3_000, 1_000 * patience).catch(() => Date.now());
  const idleSeconds = (idleMs - beganMs) / 1_000;
  const { cpuSeconds, rssMb } = running.usage();
  const { writes } = await arena.audit.since();
  return { running, restart: { writes, readySeconds, idleSeconds, cpuSeconds, rssMb } };
}
