import type { IncomingMessage, ServerResponse } from "node:http";
import type { JournalEntry } from "./driver.ts";
import type { Faults } from "./faults.ts";
import type { RateLimits } from "./rate-limits.ts";
import { matcher } from "./matcher.ts";
import { readBody } from "./request-body.ts";
import { invalidForm, isRefusal, refuse, type Answer } from "./refusal.ts";
import type { Call, Route } from "./route.ts";
import { examine, type ErrorTree, type Finding } from "./schema.ts";
import type { ViolationSink } from "./violations.ts";
import type { ApplicationRecord, World } from "./world.ts";

export type RestOptions = {
  world: World;
  routes: Route[];
  faults: Faults;
  limits: RateLimits | null;
  violations: ViolationSink;
};

export type Rest = {
  handle(request: IncomingMessage, response: ServerResponse): void;
  journal(): JournalEntry[];
  /** Requests of the last ten minutes that count towards the ban. */
  invalidRequests(): number;
};

type Exchange = {
  request: IncomingMessage;
  response: ServerResponse;
  method: string;
  path: string;
  query: URLSearchParams;
  startedAtMs: number;
  body: unknown;
  route: Route | null;
  application: ApplicationRecord | null;
};

const journalSize = 20_000;
const invalidLimit = { count: 10_000, windowMs: 600_000 };
/** Answers are all checked at first; of a flood, one in this many. */
const checkedInFull = 500;
const checkedShare = 20;

/** Discord's REST API over node:http. */
export function rest({ world, routes, faults, limits, violations }: RestOptions): Rest {
  const { clock } = world;
  const entries: JournalEntry[] = [];
  let invalid: number[] = [];
  const answersSeen = new Map<Route, number>();
  const find = matcher(routes);

  const countInvalid = () => {
    const since = clock.nowMs() - invalidLimit.windowMs;
    if ((invalid[0] ?? Infinity) <= since) invalid = invalid.filter((at) => at > since);
    return invalid.length;
  };

  const record = (exchange: Exchange, answer: Answer | null) => {
    const status = answer?.status ?? 0;
    const shared = answer?.headers?.["x-ratelimit-scope"] === "shared";
    if (status === 401 || status === 403 || (status === 429 && !shared)) invalid.push(clock.nowMs());
    const code = (answer?.body as { code?: unknown } | undefined)?.code;
    entries.push({
      atMs: exchange.startedAtMs,
      method: exchange.method,
      path: shortened(exchange.path),
      route: exchange.route?.path ?? "",
      applicationId: exchange.application?.id ?? null,
      status,
      code: typeof code === "number" && status >= 400 ? code : null,
      body: exchange.body,
      durationMs: clock.nowMs() - exchange.startedAtMs,
    });
    if (entries.length > journalSize * 1.1) entries.splice(0, entries.length - journalSize);
  };

  const reply = (exchange: Exchange, answer: Answer) => {
    record(exchange, answer);
    if (exchange.response.destroyed) return;
    const text = answer.body === undefined ? "" : JSON.stringify(answer.body);
    exchange.response.writeHead(answer.status, {
      ...(text === "" ? {} : { "content-type": "application/json" }),
      "content-length": Buffer.byteLength(text),
      via: "1.1 google",
      ...answer.headers,
    });
    exchange.response.end(text);
  };

  const violate = (exchange: Exchange, message: string, errors: unknown) =>
    violations.add("request", exchange.method, shortened(exchange.path), message, errors);

  const authenticate = (exchange: Exchange): ApplicationRecord => {
    const header = exchange.request.headers.authorization ?? "";
    for (const application of world.applications.values()) {
      if (header === `Bot ${application.token}`) return application;
    }
    return refuse(401, 0, "401: Unauthorized");
  };

  const checkAnswer = (exchange: Exchange, route: Route, answer: Answer) => {
    if (route.response === undefined || answer.body === undefined || answer.status >= 300) return;
    const seen = (answersSeen.get(route) ?? 0) + 1;
    answersSeen.set(route, seen);
    if (seen > checkedInFull && seen % checkedShare !== 0) return;
    const { errors } = each(route, answer.body, (part) => examine(route.response ?? "", part));
    if (errors === undefined) return;
    violations.add("response", exchange.method, shortened(exchange.path), `not a ${route.response}`, errors);
  };

  const checkRequest = (exchange: Exchange, route: Route, body: unknown) => {
    const { request } = route;
    if (request === undefined) return;
    if (route.many === true && !Array.isArray(body)) {
      invalidForm({ _errors: [{ code: "BASE_TYPE_BAD_TYPE", message: "Only iterables may be used." }] });
    }
    const name = typeof request === "string" ? request : request(body);
    const { errors, unknown } = each(route, body, (part) => examine(name, lenient(part)));
    if (errors !== undefined) invalidForm(errors);
    if (unknown.length > 0) {
      violate(exchange, `fields that Discord does not know: ${unknown.join(", ")}`, unknown);
    }
  };

  const answer = async (exchange: Exchange): Promise<Answer> => {
    const found = find(exchange.method, exchange.path);
    if (found === null || found === "method") {
      exchange.application = authenticate(exchange);
      violate(exchange, "the stand-in has no such route", null);
      return found === null ? refuse(404, 0, "404: Not Found") : refuse(405, 0, "405: Method Not Allowed");
    }
    exchange.route = found.route;
    if (found.route.authenticated) exchange.application = authenticate(exchange);
    const { route, parameters } = found;
    const taken =
      route.bucket === null ? null : limits?.take(route.bucket, parameters, exchange.application?.id ?? null);
    const headers = taken?.headers ?? {};
    const exhausted = taken?.exhausted ?? null;
    if (exhausted !== null) return tooMany(exhausted.retryAfterMs, exhausted.global, headers);
    const read = await readBody(exchange.request);
    exchange.body = read.body;
    try {
      checkRequest(exchange, route, read.body);
      const call: Call = {
        application: exchange.application ?? nobody,
        parameters,
        query: exchange.query,
        body: read.body,
        uploads: read.uploads,
      };
      const result = route.handle(call);
      checkAnswer(exchange, route, result);
      return { ...result, headers };
    } catch (thrown) {
      if (!isRefusal(thrown)) throw thrown;
      const code = (thrown.answer.body as { code?: number }).code;
      if (code === 50035 || code === 50006) violate(exchange, thrown.message, thrown.answer.body);
      return { ...thrown.answer, headers };
    }
  };

  const serve = async (exchange: Exchange) => {
    const { delayMs, fault } = faults.strike(exchange.method, exchange.path);
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    if (countInvalid() > invalidLimit.count) {
      const text = "<html>error code: 1015</html>";
      exchange.response.writeHead(429, { "content-type": "text/html", "retry-after": "600" }).end(text);
      return;
    }
    if (fault?.kind === "rateLimit") {
      return reply(exchange, tooMany(fault.retryAfterMs, fault.global ?? false, {}));
    }
    if (fault?.kind === "status" && fault.afterEffect !== true) {
      return reply(exchange, {
        status: fault.status,
        body: { message: `${fault.status}: injected`, code: fault.code ?? 0 },
      });
    }
    if (fault?.kind === "drop" && fault.afterEffect !== true) {
      record(exchange, null);
      exchange.request.socket.destroy();
      return;
    }
    const result = await answer(exchange);
    if (fault?.kind === "drop") {
      record(exchange, null);
      exchange.request.socket.destroy();
      return;
    }
    if (fault?.kind === "status") {
      return reply(exchange, {
        status: fault.status,
        body: { message: `${fault.status}: injected`, code: fault.code ?? 0 },
      });
    }
    return reply(exchange, result);
  };

  return {
    handle(request, response) {
      const url = new URL(request.url ?? "/", "http://discord");
      const version = /^\/api\/v(\d+)(\/.*)$/.exec(url.pathname);
      const exchange: Exchange = {
        request,
        response,
        method: request.method ?? "GET",
        path: version?.[2] ?? url.pathname.replace(/^\/api/, ""),
        query: url.searchParams,
        startedAtMs: clock.nowMs(),
        body: null,
        route: null,
        application: null,
      };
      if (version?.[1] !== "10") {
        violate(exchange, "only version 10 of the API is spoken here", url.pathname);
        reply(exchange, { status: 400, body: { message: "Invalid API version", code: 50041 } });
        return;
      }
      if (!(request.headers["user-agent"] ?? "").startsWith("DiscordBot (")) {
        violate(
          exchange,
          "User-Agent must be DiscordBot ($url, $version)",
          request.headers["user-agent"] ?? null,
        );
      }
      serve(exchange).catch((thrown: unknown) => {
        if (isRefusal(thrown)) return reply(exchange, thrown.answer);
        violations.add("response", exchange.method, exchange.path, String(thrown), (thrown as Error).stack);
        return reply(exchange, { status: 500, body: { message: "500: Internal Server Error", code: 0 } });
      });
    },
    journal: () => entries.slice(-journalSize),
    invalidRequests: countInvalid,
  };
}

const nobody: ApplicationRecord = {
  id: "0",
  token: "",
  name: "",
  privilegedIntents: 0,
  commands: new Map(),
  access: new Map(),
  creations: new Map(),
  limit: { total: 0, remaining: 0, resetAtMs: 0, maxConcurrency: 1 },
  identifiedAtMs: new Map(),
};

/** Examines a body, or each element of one that is a list. */
function each(route: Route, value: unknown, look: (part: unknown) => Finding): Finding {
  if (route.many !== true) return look(value);
  const findings = (value as unknown[]).map(look);
  const faulty = findings.flatMap(({ errors }, index) =>
    errors === undefined ? [] : [[String(index), errors] as [string, ErrorTree]],
  );
  return {
    errors: faulty.length === 0 ? undefined : Object.fromEntries(faulty),
    unknown: findings.flatMap(({ unknown }) => unknown),
  };
}

/** Discord takes numbers written as strings for this one field, and clients send it so. */
function lenient(body: unknown): unknown {
  if (typeof body !== "object" || body === null) return body;
  const permissions = (body as Record<string, unknown>)["default_member_permissions"];
  if (typeof permissions !== "string" || !/^\d+$/.test(permissions)) return body;
  return { ...body, default_member_permissions: Number(permissions) };
}

function tooMany(retryAfterMs: number, global: boolean, headers: Record<string, string>): Answer {
  const seconds = Math.max(1, Math.ceil(retryAfterMs)) / 1_000;
  return {
    status: 429,
    body: { message: "You are being rate limited.", retry_after: seconds, global },
    headers: {
      ...headers,
      "retry-after": String(Math.ceil(seconds)),
      "x-ratelimit-scope": global ? "global" : "user",
      ...(global ? { "x-ratelimit-global": "true" } : {}),
    },
  };
}

/** Interaction tokens are long and secret: a few characters tell them apart. */
function shortened(path: string): string {
  return path.replace(/\/(aW50ZXJhY3Rpb246.{0,8})[^/]*/, "/$1…");
}
