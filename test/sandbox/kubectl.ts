import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { command } from "../cluster/command.ts";

/** kubectl against one cluster. */
export type Kubectl = {
  /** Runs kubectl and resolves with what it printed; rejects with what it complained about. */
  run(args: string[], input?: string): Promise<string>;
  /** The same with `-o json`, parsed. */
  json<T>(args: string[]): Promise<T>;
  /** Forwards a free local port to a Service; `close` ends it. */
  forward(
    namespace: string,
    service: string,
    port: number,
  ): Promise<{ port: number; close(): Promise<void> }>;
};

/** Binds kubectl to a kubeconfig. Every call gives up after `timeoutMs`. */
export function kubectl(program: string, kubeconfigPath: string, timeoutMs = 300_000): Kubectl {
  const env = { ...process.env, KUBECONFIG: kubeconfigPath };
  const run = async (args: string[], input?: string): Promise<string> => {
    const said = await command(program, args, { env, timeoutMs, ...(input === undefined ? {} : { input }) });
    return said.stdout;
  };
  return {
    run,
    async json<T>(args: string[]): Promise<T> {
      return JSON.parse(await run([...args, "-o", "json"])) as T;
    },
    async forward(namespace, service, port) {
      const child = spawn(program, ["-n", namespace, "port-forward", `service/${service}`, `:${port}`], {
        env,
        stdio: ["ignore", "pipe", "pipe"],
      });
      const complaints: string[] = [];
      createInterface({ input: child.stderr }).on("line", (line) => complaints.push(line));
      const local = await new Promise<number>((resolve, reject) => {
        createInterface({ input: child.stdout }).on("line", (line) => {
          const found = /127\.0\.0\.1:(\d+)/.exec(line)?.[1];
          if (found !== undefined) resolve(Number(found));
        });
        child.once("error", reject);
        child.once("exit", () => reject(new Error(`port-forward ended: ${complaints.slice(-3).join("; ")}`)));
      });
      return {
        port: local,
        async close() {
          if (child.exitCode === null && child.signalCode === null) {
            child.kill();
            await once(child, "exit");
          }
        },
      };
    },
  };
}

/** Polls until `probe` gives something; what was still missing is in the error after `timeoutMs`. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined>,
  timeoutMs = 180_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  while (Date.now() < deadline) {
    try {
      const found = await probe();
      if (found !== undefined) return found;
      last = undefined;
    } catch (cause) {
      last = cause;
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error(`${what}: not within ${timeoutMs / 1000} s`, { cause: last });
}
