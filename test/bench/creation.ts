import { fileURLToPath } from "node:url";
import type { ApiServer } from "./api-server.ts";
import { type OperatorProcess, startOperator } from "./operator-process.ts";
import { type Program, type Usage, program } from "./program.ts";
import { samples } from "./prometheus.ts";

/** Guilds appear while the writer runs, or are there when it starts. */
export type Order = "appearing" | "present";

/** From the first guild, or from the start of the process, until all are Ready. */
export type Creation = { seconds: number; usage: Usage };

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** `bundle` is the operator's file. */
type Stage = { bundle: string; server: ApiServer; guilds: number; order: Order };

/** Starts those who play the absent controllers; resolves when they see what happens. */
export async function startControllers(server: ApiServer, guilds: number): Promise<Program> {
  const played = program(file("controllers.ts"), { env: { ...server.adminEnv, GUILDS: String(guilds) } });
  await played.message(({ watching }) => watching === true);
  return played;
}

/** All guilds by the operator, which is left running. */
export async function createdByOperator(
  stage: Stage,
  controllers: Program,
  nodeFlags: string[] = [],
): Promise<Creation & { operator: OperatorProcess }> {
  const { result, ...creation } = await timed(stage, controllers, async () =>
    startOperator(stage.bundle, stage.server, { nodeFlags }),
  );
  return { ...creation, operator: result };
}

/** The same objects by the bare writer. */
export async function createdByWriter(stage: Stage, controllers: Program): Promise<Creation> {
  const { result, ...creation } = await timed(stage, controllers, async () => {
    const env = { ...stage.server.adminEnv, GUILDS: String(stage.guilds) };
    const writer = program(file("peers/bare-writer.ts"), { nodeFlags: ["--max-semi-space-size=4"], env });
    await writer.message(({ watching }) => watching === true);
    return writer;
  });
  await result.stop();
  return creation;
}

/** Times `start` and what it started until all guilds are Ready. */
export async function timed<P extends Program>(
  { server, guilds, order }: Omit<Stage, "bundle">,
  controllers: Program,
  start: () => Promise<P>,
): Promise<Creation & { result: P }> {
  let beganMs: number;
  let result: P;
  if (order === "present") {
    await server.createGuilds(guilds);
    beganMs = Date.now();
    result = await start();
  } else {
    result = await start();
    beganMs = Date.now();
    await server.createGuilds(guilds);
  }
  const timeoutMs = 600_000 + guilds * 1_000;
  const done = controllers.message<{ atMs: number }>((message) => message["done"] === true, timeoutMs);
  const { atMs } = await whileAlive(result, done);
  return { seconds: (atMs - beganMs) / 1_000, usage: result.usage(), result };
}

/** Throws, with its last words, as soon as the program has ended without what is waited for. */
async function whileAlive<T>(running: Program, work: Promise<T>): Promise<T> {
  const over = new AbortController();
  const watch = async () => {
    while (!over.signal.aborted) {
      running.usage();
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
    return work;
  };
  return Promise.race([work, watch()]).finally(() => over.abort());
}

/** Requests that the API server answered in between, by verb and resource; also those of the absent controllers and the bench. */
export function requestsByKind(before: string, after: string): Map<string, number> {
  const earlier = answered(before);
  const grown = [...answered(after)].map(([key, value]) => [key, value - (earlier.get(key) ?? 0)] as const);
  return new Map(grown.filter(([, value]) => value > 0));
}

function answered(page: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { labels, value } of samples(page, "apiserver_request_total")) {
    const { verb = "", resource = "", subresource = "" } = labels;
    const key = `${verb} ${resource}${subresource === "" ? "" : `/${subresource}`}`;
    counts.set(key, (counts.get(key) ?? 0) + value);
  }
  return counts;
}
