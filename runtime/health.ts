import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What is wrong, in sentences; none means well. */
type Check = () => readonly string[] | Promise<readonly string[]>;

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

/** Serves /healthz (/health, /livez), /readyz (/ready) and /metrics: 200 `ok`, or 503 with the problems. Rejects when the address cannot be had. */
export async function healthServer(options: HealthServerOptions): Promise<HealthServer> {
  const { live, ready } = options.checks;
  const { metrics } = options;
  const routes: Record<string, Handler> = {
    "/healthz": (_, response) => answerCheck(live, response),
    "/health": (_, response) => answerCheck(live, response),
    "/livez": (_, response) => answerCheck(live, response),
    "/readyz": (_, response) => answerCheck(ready, response),
    "/ready": (_, response) => answerCheck(ready, response),
    ...(metrics === undefined ? {} : { "/metrics": (_, response) => answerMetrics(metrics, response) }),
    ...options.routes,
  };
  return listening(
    createServer((request, response) => void route(routes, request, response)),
    options.address,
  );
}

/** Has a server listen at an address such as `:8080`, `127.0.0.1:0` or `[::]:8080`. Rejects when the address cannot be had. */
export async function listening(server: Server, address: string): Promise<HealthServer> {
  // Probes and scrapes are small and quick; whoever is not has no business here.
  server.requestTimeout = 10_000;
  server.headersTimeout = 5_000;
  const { host, port } = parseAddress(address);
  server.listen(port, host);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

async function route(
  routes: Record<string, Handler>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = new URL(request.url ?? "/", "http://localhost").pathname;
  const handler = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (handler === undefined) {
    answerText(response, 404, "not found\n");
    return;
  }
  try {
    await handler(request, response);
  } catch (error) {
    const sentence = error instanceof Error ? error.message : String(error);
    if (response.headersSent) response.destroy();
    else answerText(response, 500, `${sentence}\n`);
  }
}

async function answerCheck(check: Check, response: ServerResponse): Promise<void> {
  const problems = await check();
  answerText(
    response,
    problems.length === 0 ? 200 : 503,
    problems.length === 0 ? "ok\n" : `${problems.join("\n")}\n`,
  );
}

async function answerMetrics(metrics: () => Promise<string>, response: ServerResponse): Promise<void> {
  answerText(response, 200, await metrics(), "text/plain; version=0.0.4; charset=utf-8");
}

function answerText(
  response: ServerResponse,
  status: number,
  body: string,
  type = "text/plain; charset=utf-8",
): void {
  response.writeHead(status, {
    "content-type": type,
    "cache-control": "no-store",
    "content-length": Buffer.byteLength(body),
  });
  response.end(body);
}

/** `:8080`, `host:port` or `[v6]:port`; an empty host listens everywhere. Throws on anything else. */
function parseAddress(address: string): { host: string | undefined; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535)
    throw new Error(`"${address}" is not an address; write host:port or :port.`);
  const host = match[1] ?? match[2];
  return { host: host === "" ? undefined : host, port };
}
