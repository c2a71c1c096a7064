import type { ApiServer } from "./api-server.ts";
import { type Program, program } from "./program.ts";
import { sum } from "./prometheus.ts";
import { settings } from "./settings.ts";

const writing = new Set(["POST", "PUT", "PATCH", "DELETE"]);

/** The bundled operator as it runs in its image: the same flags, the service account's own rights. */
export type OperatorProcess = Program & {
  metrics(): Promise<string>;
  /** Requests sent so far that write, among them Events and its own Lease. */
  writes(): Promise<number>;
  reads(): Promise<number>;
  /** Resolves when `count` guilds were looked at and none waits. */
  idle(count: number): Promise<void>;
};

/** Starts it; resolves when its caches are complete and it leads. */
export async function startOperator(
  bundle: string,
  server: ApiServer,
  { nodeFlags = [], env = {} }: { nodeFlags?: string[]; env?: Record<string, string> } = {},
): Promise<OperatorProcess> {
  const started = program(bundle, {
    // The second is what V8 chooses by itself in a pod limited to 512 MiB, as config/operator limits it; it would choose by this machine.
    nodeFlags: ["--max-semi-space-size=4", "--max-old-space-size=256", ...nodeFlags],
    env: {
      ...server.operatorEnv,
      NODE_ENV: "production",
      MALLOC_ARENA_MAX: "1",
      BOT_IMAGE: settings.botImage,
      POSTGRES_IMAGE: settings.postgresImage,
      METRICS_ADDRESS: "127.0.0.1:0",
      ASSIGNMENTS_ADDRESS: "127.0.0.1:0",
      POD_NAME: `operator-${process.hrtime.bigint()}`,
      POD_NAMESPACE: "dkp-system",
      LOG_LEVEL: "info",
      ...env,
    },
  });
  const { port } = (await started.line(({ port }) => typeof port === "number")) as { port: number };
  const ask = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
  const metrics = async () => (await ask("/metrics")).text();
  const requests = async (methods: (method: string) => boolean) =>
    sum(await metrics(), "rest_client_requests_total", ({ method = "" }) => methods(method));
  await until(
    async () => (await ask("/readyz")).ok && sum(await metrics(), "leader_election_master_status") === 1,
  );
  return {
    ...started,
    metrics,
    writes: () => requests((method) => writing.has(method)),
    reads: () => requests((method) => !writing.has(method)),
    idle: (count) =>
      until(async () => {
        const page = await metrics();
        const looks = sum(page, "controller_runtime_reconcile_total");
        const waiting = sum(page, "workqueue_depth") + sum(page, "controller_runtime_active_workers");
        return looks >= count && waiting === 0;
      }),
  };
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}
