import type { KubeClientOptions, RequestOptions, WatchEvent } from "./client.ts";
import type { KubeConnection } from "./config.ts";
import { KubeError, noAnswer, refusal } from "./error.ts";
import type { KubeObject } from "./object.ts";
import { withRetries } from "./retry.ts";
import type { HttpRequest, HttpResponse, Transport } from "./transport.ts";
import { watchEvents } from "./watch.ts";

/** What one call sends. */
export type Call = {
  method: HttpRequest["method"];
  path: string;
  query?: Record<string, string | number | undefined>;
  body?: unknown;
  contentType?: string;
  idempotent: boolean;
  /** Whether refusals may quote secret content. */
  confidential?: boolean;
  options?: RequestOptions | undefined;
};

type WatchOptions = {
  idleTimeoutMs: number;
  onOpen: (() => void) | undefined;
  isHeld: ((resourceVersion: string) => boolean) | undefined;
};

/** Sends calls, with credentials, retries and measurement. */
export type Caller = {
  text(call: Call): Promise<string>;
  json<T>(call: Call): Promise<T>;
  stream<T extends KubeObject>(call: Call, watch: WatchOptions): AsyncGenerator<WatchEvent<T>>;
};

/** The one place where requests are made and their outcomes become answers or KubeErrors. */
export function callerOf(options: KubeClientOptions, transport: Transport): Caller {
  const { connection, userAgent, observe } = options;
  const measured = async (
    { method, path }: Pick<Call, "path"> & { method: string },
    send: () => Promise<HttpResponse>,
  ): Promise<HttpResponse> => {
    const startedAtMs = performance.now();
    let status = "error";
    try {
      const response = await send();
      status = String(response.status);
      return response;
    } finally {
      observe?.({ method, path, status, seconds: (performance.now() - startedAtMs) / 1_000 });
    }
  };
  const requestOf = async (call: Call, refresh: boolean): Promise<HttpRequest> => ({
    method: call.method,
    path: call.path + queryString(call.query),
    headers: {
      ...(await credentials(connection, refresh)),
      accept: "application/json",
      "user-agent": userAgent,
      ...(call.body === undefined ? {} : { "content-type": call.contentType ?? "application/json" }),
    },
    body: call.body === undefined ? undefined : JSON.stringify(call.body),
    timeoutMs: call.options?.timeoutMs ?? options.timeoutMs ?? 30_000,
    signal: call.options?.signal,
  });
  const text = (call: Call): Promise<string> =>
    withRetries(
      {
        attempts: call.options?.attempts ?? options.attempts ?? 5,
        idempotent: call.idempotent,
        signal: call.options?.signal,
      },
      async (refresh) => {
        const request = await requestOf(call, refresh);
        return answerText(call, await measured(call, () => answered(call, transport.request(request))));
      },
    );
  return {
    text,
    async json<T>(call: Call) {
      return JSON.parse(await text(call)) as T;
    },
    async *stream<T extends KubeObject>(call: Call, { idleTimeoutMs, onOpen, isHeld }: WatchOptions) {
      const request = { ...(await requestOf(call, false)), idleTimeoutMs };
      const response = await measured({ ...call, method: "WATCH" }, () =>
        answered(call, transport.stream(request)),
      );
      if (response.status !== 200) await answerText(call, response);
      onOpen?.();
      yield* watchEvents<T>(describeCall(call), response.body, isHeld);
    },
  };
}

function describeCall(call: Call): string {
  return `${call.query?.["watch"] === "true" ? "WATCH" : call.method} ${call.path}`;
}

function queryString(query: Call["query"] = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined) parameters.set(name, String(value));
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}

async function credentials(connection: KubeConnection, refresh: boolean): Promise<Record<string, string>> {
  try {
    return await connection.headers(refresh);
  } catch (error) {
    throw new KubeError("The credentials for the API server cannot be read.", {
      status: 0,
      reason: "NoCredentials",
      cause: error,
    });
  }
}

async function answered(call: Call, response: Promise<HttpResponse>): Promise<HttpResponse> {
  try {
    return await response;
  } catch (error) {
    throw noAnswer(describeCall(call), error);
  }
}

async function answerText(call: Call, response: HttpResponse): Promise<string> {
  let text: string;
  try {
    text = await response.text();
  } catch (error) {
    throw noAnswer(describeCall(call), error);
  }
  if (response.status >= 200 && response.status < 300) return text;
  throw refusal(describeCall(call), {
    status: response.status,
    text,
    retryAfter: response.header("retry-after"),
    confidential: call.confidential ?? false,
  });
}
