import type { Interactions } from "./interactions.ts";
import type { Upload } from "./messages.ts";
import type { Bucket } from "./rate-limits.ts";
import type { Answer } from "./refusal.ts";
import type { SchemaName } from "./schema.ts";
import type { ApplicationRecord, World } from "./world.ts";

export type Call = {
  /** Who calls; a made-up nobody for routes that need no token. */
  application: ApplicationRecord;
  parameters: Record<string, string>;
  query: URLSearchParams;
  body: unknown;
  uploads: Upload[];
};

export type Route = {
  method: string;
  /** Path below /api/v10, with parameters as `:name`. */
  path: string;
  /** Whether the caller proves itself by its bot token; otherwise the path holds a token of its own. */
  authenticated: boolean;
  bucket: Bucket | null;
  /** Schema of the body, or of each element of a body that is a list. */
  request?: SchemaName | ((body: unknown) => SchemaName);
  /** Schema of the answer with status 200 or 201. */
  response?: SchemaName;
  many?: boolean;
  handle(call: Call): Answer;
};

export type RouteContext = {
  world: World;
  interactions: Interactions;
  gatewayUrl: () => string;
  baseUrl: () => string;
};

export const ok = (body: unknown): Answer => ({ status: 200, body });
export const nothing: Answer = { status: 204 };

/** A rate limit: so many requests in a window, counted apart for each value of the named parameters. */
export function bucket(name: string, limit: number, windowMs: number, ...by: string[]): Bucket {
  return { name, limit, windowMs, by };
}
