import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import type { AddressInfo, Socket } from "node:net";

/** What happens to a request instead of being passed on. */
type Interception =
  | { status: number; headers?: Record<string, string>; body?: unknown }
  | { reset: true }
  | { delayMs: number };

export type Proxy = {
  url: string;
  /** Method and path of everything asked so far. */
  requests: string[];
  /** Decides on each request; undefined passes it on. */
  intercept(decide: (call: { method: string; path: string }) => Interception | undefined): void;
  /** Holds back what watches deliver by so long, so that caches behind the proxy are stale. */
  lagWatches(delayMs: number): void;
  /** Ends the watches under way: cleanly, by a TCP reset, or silently (no byte more, the connection stays). Answers how many. */
  endWatches(how: "clean" | "reset" | "silent"): number;
  /** Sends this line into the watches under way. */
  sayToWatches(line: unknown): void;
  openWatches(): number;
  close(): Promise<void>;
};

/** A plain-HTTP proxy in front of an API server that can misbehave in the ways that networks and servers do. */
export async function startProxy(upstream: { url: string; ca: string }): Promise<Proxy> {
  const agent = new Agent({ keepAlive: true, ca: upstream.ca });
  const watches = new Set<ServerResponse>();
  const silenced = new Set<ServerResponse>();
  const requests: string[] = [];
  let lagMs = 0;
  let decide: Parameters<Proxy["intercept"]>[0] = passOn;

  const pass = (request: IncomingMessage, response: ServerResponse) => {
    const forward = httpsRequest(new URL(request.url ?? "/", upstream.url), {
      agent,
      method: request.method,
      headers: request.headers,
    });
    request.pipe(forward);
    forward.on("error", () => resetSocket(response));
    response.on("close", () => forward.destroy());
    // What was cut off while it was under way is nobody's error here: that is what this proxy is for.
    request.on("error", () => forward.destroy());
    forward.on("response", (answer) => {
      answer.on("error", () => resetSocket(response));
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      if (!(request.url ?? "").includes("watch=true") || answer.statusCode !== 200) {
        answer.pipe(response);
        return;
      }
      response.flushHeaders();
      watches.add(response);
      response.on("close", () => watches.delete(response));
      answer.on("data", (piece: Buffer) => {
        if (silenced.has(response)) return;
        if (lagMs === 0) response.write(piece);
        else setTimeout(() => response.write(piece), lagMs);
      });
      answer.on("end", () => {
        if (!silenced.has(response)) response.end();
      });
    });
  };
  const server = createServer((request, response) => {
    const call = { method: request.method ?? "", path: request.url ?? "" };
    requests.push(`${call.method} ${call.path}`);
    const interception = decide(call);
    if (interception === undefined) pass(request, response);
    else if ("reset" in interception) resetSocket(response);
    else if ("delayMs" in interception) setTimeout(() => pass(request, response), interception.delayMs);
    else {
      response.writeHead(interception.status, {
        "content-type": "application/json",
        ...interception.headers,
      });
      response.end(JSON.stringify(interception.body ?? {}));
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    intercept(next) {
      decide = next;
    },
    lagWatches(delayMs) {
      lagMs = delayMs;
    },
    endWatches(how) {
      const ended = [...watches];
      for (const response of ended) {
        if (how === "silent") silenced.add(response);
        watches.delete(response);
        if (how === "clean") response.end();
        if (how === "reset") resetSocket(response);
      }
      return ended.length;
    },
    sayToWatches(line) {
      for (const response of watches) response.write(`${JSON.stringify(line)}\n`);
    },
    openWatches: () => watches.size,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      agent.destroy();
      await closed;
    },
  };
}

function passOn(): undefined {}

function resetSocket(response: ServerResponse): void {
  const socket: Socket | null = response.socket;
  socket?.resetAndDestroy();
}
