import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { DkpGuild } from "../crds/dkp-guild.ts";
import { type HealthServer, listening } from "../runtime/health.ts";
import { type KubeObject, objectKey } from "../runtime/kube/object.ts";
import { assignment } from "./guild/assignment.ts";
import { childNames } from "./guild/names.ts";
import { configMaps } from "./guild/resources.ts";
import type { World } from "./world.ts";

export type AssignmentsOptions = {
  /** `:3001`, `127.0.0.1:0`. */
  address: string;
  world: Pick<World, "guilds" | "guildsOf" | "child">;
  /** Why the answers are not whole; empty when they are. */
  problems(): string[];
  isLeader(): boolean;
  /** Told about every answer. */
  observe?: (answer: { path: string; status: number; seconds: number }) => void;
};

/** Guilds that are written between two looks at anything else this process has to do. */
const portion = 250;
const paths = ["/health", "/guild-assignments"];

/**
 * Serves /health and /guild-assignments as JSON, from the caches: also where another process leads. The list is sorted by namespace and
 * name, may be narrowed by `namespace` and `guildId`, and is read in pages by `limit` and the `Link` header.
 */
export function assignmentsServer(options: AssignmentsOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const startedAtMs = performance.now();
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
    response.once("close", () => {
      const path = paths.includes(pathname) ? pathname : "other";
      const seconds = (performance.now() - startedAtMs) / 1_000;
      options.observe?.({ path, status: response.statusCode, seconds });
    });
    // A client that went away in the middle of a list is no failure of ours.
    answer(options, request, response, pathname, searchParams).catch(() => response.destroy());
  });
  return listening(server, options.address);
}

async function answer(
  options: AssignmentsOptions,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  query: URLSearchParams,
): Promise<void> {
  if (!paths.includes(path)) return send(response, 404, { error: `There is ${paths.join(" and ")}.` });
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    return send(response, 405, { error: "Only GET and HEAD are answered." });
  }
  const problems = options.problems();
  if (path === "/health") {
    const status = problems.length === 0 ? "ok" : "unavailable";
    return send(response, status === "ok" ? 200 : 503, { status, leader: options.isLeader(), problems });
  }
  if (problems.length > 0) {
    response.setHeader("retry-after", "1");
    return send(response, 503, { error: problems.join(" ") });
  }
  return answerList(options, request, response, query);
}

async function answerList(
  { world }: AssignmentsOptions,
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
): Promise<void> {
  const limit = query.get("limit");
  if (limit !== null && !/^[1-9]\d{0,5}$/.test(limit))
    return send(response, 400, { error: "limit must be a whole number from 1 to 999999." });
  const { page, next } = pageOf(selected(world, query), limit === null ? undefined : Number(limit), query);
  const reports = page.map((guild) => world.child(guild, configMaps, childNames(guild.metadata.name).report));
  const tag = tagOf(page, reports);
  response.setHeader("etag", tag);
  response.setHeader("cache-control", "no-cache");
  if (next !== undefined) response.setHeader("link", `</guild-assignments?${next}>; rel="next"`);
  if (request.headers["if-none-match"] === tag) {
    response.writeHead(304).end();
    return undefined;
  }
  response.writeHead(200, { "content-type": "application/json; charset=utf-8" });
  if (request.method === "HEAD") response.end();
  else await pipeline(pieces(page, reports), response);
  return undefined;
}

/** The guilds that the query asks for, sorted. */
function selected(world: AssignmentsOptions["world"], query: URLSearchParams): DkpGuild[] {
  const [guildId, namespace] = [query.get("guildId"), query.get("namespace")];
  const all = guildId === null ? [...world.guilds()] : [...world.guildsOf(guildId)];
  return all
    .filter(({ metadata }) => namespace === null || metadata.namespace === namespace)
    .map((guild) => ({ guild, key: objectKey(guild.metadata) }))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ guild }) => guild);
}

/** One page behind the key `after`, and the query of the next one if there is one. */
function pageOf(
  guilds: DkpGuild[],
  limit: number | undefined,
  query: URLSearchParams,
): { page: DkpGuild[]; next: string | undefined } {
  const after = query.get("after");
  const rest = after === null ? guilds : guilds.filter(({ metadata }) => objectKey(metadata) > after);
  if (limit === undefined || rest.length <= limit) return { page: rest, next: undefined };
  const page = rest.slice(0, limit);
  const next = new URLSearchParams(query);
  const last = page.at(-1);
  if (last !== undefined) next.set("after", objectKey(last.metadata));
  return { page, next: next.toString() };
}

/** Changes whenever one of the objects does, and is the same from every replica. */
function tagOf(page: DkpGuild[], reports: (KubeObject | undefined)[]): string {
  const hash = createHash("sha1");
  for (const [index, { metadata }] of page.entries())
    hash.update(
      `${metadata.uid} ${metadata.resourceVersion} ${reports[index]?.metadata.resourceVersion ?? ""}\n`,
    );
  return `"${hash.digest("hex")}"`;
}

/** The list in portions, so that ten thousand guilds hold nobody up. */
async function* pieces(page: DkpGuild[], reports: (KubeObject | undefined)[]): AsyncGenerator<string> {
  for (let from = 0; from < page.length; from += portion) {
    const entries = page
      .slice(from, from + portion)
      .map((guild, index) => JSON.stringify(assignment(guild, reports[from + index])));
    yield `${from === 0 ? "[" : ",\n"}${entries.join(",\n")}`;
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  yield page.length === 0 ? "[]\n" : "]\n";
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    "cache-control": "no-store",
    "content-length": Buffer.byteLength(text),
  });
  response.end(text);
}
