import type { IncomingMessage, ServerResponse } from "node:http";

/** What is wrong, in sentences; none means well. */
export type Check = () => readonly string[] | Promise<readonly string[]>;

export type HealthServerOptions = {
  /** `:8080`, `127.0.0.1:0`, `[::]:8080`. */
  address: string;
  checks: { live: Check; ready: Check };
  /** The Prometheus text; served on /metrics. */
  metrics?: () => Promise<string>;
  /** Further paths, each answered by its handler. */
  routes?: Record<string, (request: IncomingMessage, response: ServerResponse) => void | Promise<void>>;
};

export type HealthServer = { port: number; close(): Promise<void> };

/** Serves /healthz (/health, /livez), /readyz (/ready) and /metrics: 200 `ok`, or 503 with the problems. */
export async function healthServer(_options: HealthServerOptions): Promise<HealthServer> {
  throw new Error("not built yet");
}
