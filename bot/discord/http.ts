import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";

/** Discord's answer to one request. `body` is the parsed JSON, or undefined when there was none. */
export type DiscordResponse = { status: number; body: unknown; retryAfterMs: number };

export type DiscordHttp = {
  /** One attempt. Throws when no complete answer came within `timeoutMs`. The address may hold an interaction's token: errors never show it. */
  send(
    method: "GET" | "POST" | "PATCH",
    path: string,
    body: unknown,
    timeoutMs: number,
  ): Promise<DiscordResponse>;
  close(): void;
};

/**
 * Plain keep-alive requests to the endpoints that an interaction's own token opens. They are exempt from the bot's
 * global rate limit and each token is used a few times only, so the queue and bucket per route of a general client
 * would cost more memory than they save requests.
 */
export function discordHttp(options: {
  apiUrl: string;
  userAgent: string;
  maxSockets?: number;
}): DiscordHttp {
  const base = new URL(`${options.apiUrl.replace(/\/+$/, "")}/v10`);
  const secure = base.protocol === "https:";
  const settings = { keepAlive: true, maxSockets: options.maxSockets ?? 64, scheduling: "lifo" } as const;
  const agent = secure ? new HttpsAgent(settings) : new HttpAgent(settings);

  function send(
    method: "GET" | "POST" | "PATCH",
    path: string,
    body: unknown,
    timeoutMs: number,
  ): Promise<DiscordResponse> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      "user-agent": options.userAgent,
      ...(text !== undefined && {
        "content-type": "application/json",
        "content-length": String(Buffer.byteLength(text)),
      }),
    };
    return new Promise((resolve, reject) => {
      const fail = (cause: unknown) =>
        reject(new Error(`No answer from Discord to ${method} ${route(path)}`, { cause }));
      const url = new URL(base.href + path);
      const request = (secure ? httpsRequest : httpRequest)(url, {
        method,
        headers,
        agent,
        signal: AbortSignal.timeout(timeoutMs),
      });
      request.on("error", fail);
      request.on("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", fail);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            body: parsed(Buffer.concat(chunks).toString("utf8")),
            retryAfterMs: Math.ceil(Number(response.headers["retry-after"] ?? 0) * 1000),
          }),
        );
      });
      request.end(text);
    });
  }

  return { send, close: () => agent.destroy() };
}

/** The path with ids and tokens left out, for logs and errors. */
export function route(path: string): string {
  return path
    .replace(/\?.*$/, "")
    .replace(/(\/(?:interactions|webhooks)\/\d+)\/[^/]+/, "$1/:token")
    .replaceAll(/\d{17,20}/g, ":id");
}

/** Discord's own error code (such as 10062) in an error answer; 0 when there is none. */
export function errorCode(body: unknown): number {
  return typeof body === "object" && body !== null && "code" in body && typeof body.code === "number"
    ? body.code
    : 0;
}

function parsed(text: string): unknown {
  if (text === "") {
    return undefined;
  }
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // A proxy's error page: the status says what happened.
  }
}
