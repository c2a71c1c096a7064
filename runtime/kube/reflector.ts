import type { Logger } from "../log.ts";
import { backoffMs, pause } from "./backoff.ts";
import type { CacheChange, ObjectCache } from "./cache.ts";
import type { KubeClient } from "./client.ts";
import { KubeError } from "./error.ts";
import { objectKey, type KubeObject, type Resource } from "./object.ts";

/**
 * "listing": the first list is under way, or its watch is about to open. "absent": the API server does not know the kind (its
 * CRD is missing); asked again until it does. "failing": the cache may be behind.
 */
export type ReflectorState = "listing" | "watching" | "absent" | "failing";

export type ReflectorOptions<T extends KubeObject> = {
  client: KubeClient;
  resource: Resource;
  /** Absent or empty: all namespaces by one list and one watch; otherwise one of each a namespace. */
  namespaces?: readonly string[];
  labelSelector?: string;
  fieldSelector?: string;
  cache: ObjectCache<T>;
  /** Called for each change after the cache holds it. What it throws is a programmer error and crashes the process. */
  onChange(change: CacheChange<T>): void;
  /** Told of each change of state. */
  onState?(state: ReflectorState, error?: unknown): void;
  log: Logger;
  /** Objects a page, 500 by default. */
  pageSize?: number;
  /** A watch silent for so long is reconnected; 90 s by default (bookmarks come every minute). */
  idleTimeoutMs?: number;
  /** Backoff of failures, 100 ms doubling to 30 s by default, with jitter. */
  backoff?: { baseMs: number; maxMs: number };
};

export type Reflector = {
  /** Resolves when the cache is complete for the first time or the kind is known to be absent; never rejects. */
  synced: Promise<void>;
  hasSynced(): boolean;
  state(): ReflectorState;
  /** Ends list and watch; resolves when no change will follow. */
  stop(): Promise<void>;
};

/** How long a missing kind is left alone before it is asked for again. */
const absentRetryMs = 5_000;

/** A watch that lived so long was healthy: the failures before it are forgotten. */
const healthyAfterMs = 1_000;

/** Keeps `cache` equal to what the API server holds, by list and watch. */
export function reflect<T extends KubeObject>(options: ReflectorOptions<T>): Reflector {
  const stopping = new AbortController();
  const scopes = options.namespaces?.length ? [...new Set(options.namespaces)] : [undefined];
  const states = new Map<string | undefined, ReflectorState>(scopes.map((scope) => [scope, "listing"]));
  const unsynced = new Set(scopes);
  const synced = Promise.withResolvers<void>();
  let announced: ReflectorState | undefined;

  const report = (scope: string | undefined, state: ReflectorState, error?: unknown) => {
    states.set(scope, state);
    if ((state === "watching" || state === "absent") && unsynced.delete(scope) && unsynced.size === 0)
      synced.resolve();
    const overall = worstOf(states.values());
    if (overall !== announced) options.onState?.(overall, error);
    announced = overall;
  };
  const loops = scopes.map((scope) => follow(options, scope, stopping.signal, report));
  return {
    synced: synced.promise,
    hasSynced: () => unsynced.size === 0,
    state: () => worstOf(states.values()),
    async stop() {
      stopping.abort();
      await Promise.allSettled(loops);
    },
  };
}

function worstOf(states: Iterable<ReflectorState>): ReflectorState {
  const present = new Set(states);
  const order: ReflectorState[] = ["failing", "absent", "listing", "watching"];
  return order.find((state) => present.has(state)) ?? "listing";
}

type Report = (scope: string | undefined, state: ReflectorState, error?: unknown) => void;

/** Where the stream of one scope stands. */
type Position = { resourceVersion: string | undefined };

/**
 * Lists and watches one scope until told to stop. Every failure of the API is a KubeError and is repeated; anything else was
 * thrown by a handler, rejects, and so ends the process.
 */
async function follow<T extends KubeObject>(
  options: ReflectorOptions<T>,
  scope: string | undefined,
  signal: AbortSignal,
  report: Report,
): Promise<void> {
  const { baseMs, maxMs } = options.backoff ?? { baseMs: 100, maxMs: 30_000 };
  const position: Position = { resourceVersion: undefined };
  let failures = 0;
  while (!signal.aborted) {
    let startedAtMs = performance.now();
    try {
      if (position.resourceVersion === undefined) {
        position.resourceVersion = await list(options, scope, signal);
        report(scope, "listing");
      }
      startedAtMs = performance.now();
      const onOpen = () => report(scope, "watching");
      const delivered = await watch(options, { scope, position, signal, onOpen });
      // A server that closes at once and says nothing would otherwise be asked in a busy loop.
      failures = delivered || performance.now() - startedAtMs > healthyAfterMs ? 0 : failures + 1;
      if (failures > 0) await pause(backoffMs(failures, baseMs, maxMs), signal);
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      if (signal.aborted) return;
      if (performance.now() - startedAtMs > healthyAfterMs) failures = 0;
      await recover({ options, scope, position, signal, report }, error, failures);
      failures += 1;
    }
  }
}

/** Notes what a failure means and waits before the next attempt. */
async function recover<T extends KubeObject>(
  loop: {
    options: ReflectorOptions<T>;
    scope: string | undefined;
    position: Position;
    signal: AbortSignal;
    report: Report;
  },
  error: KubeError,
  failures: number,
): Promise<void> {
  const { options, scope, position, signal, report } = loop;
  const { baseMs, maxMs } = options.backoff ?? { baseMs: 100, maxMs: 30_000 };
  const facts = { kind: options.resource.kind, namespace: scope, err: error };
  if (error.status === 410) {
    options.log.debug(facts, "the watch fell behind, listing again");
    position.resourceVersion = undefined;
    if (failures > 0) await pause(backoffMs(failures, baseMs, maxMs), signal);
    return;
  }
  if (error.status === 404) {
    position.resourceVersion = undefined;
    emit(options, options.cache.clear(scope));
    report(scope, "absent", error);
    await pause(backoffMs(0, Math.min(absentRetryMs, maxMs), maxMs), signal);
    return;
  }
  const delayMs = error.retryAfterMs ?? backoffMs(failures, baseMs, maxMs);
  options.log.debug({ ...facts, delayMs }, "list or watch failed, trying again");
  // One cut of a watch is ordinary; the cache goes on from where it was.
  if (failures > 0 || position.resourceVersion === undefined) report(scope, "failing", error);
  await pause(delayMs, signal);
}

/** Reads everything page by page and answers the version to watch from. */
async function list<T extends KubeObject>(
  options: ReflectorOptions<T>,
  scope: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  const { client, resource, cache } = options;
  const selectors = { labelSelector: options.labelSelector, fieldSelector: options.fieldSelector };
  const present = new Set<string>();
  let limit = options.pageSize ?? 500;
  let next: string | undefined;
  let resourceVersion: string | undefined;
  do {
    try {
      const page = await client.list<T>(resource, {
        namespace: scope,
        ...selectors,
        limit,
        continue: next,
        signal,
      });
      // Pages after the first may be newer; watching from the first delivers the difference again, which does no harm.
      resourceVersion ??= page.resourceVersion;
      for (const object of page.items) {
        present.add(objectKey(object.metadata));
        emit(options, cache.put(object));
      }
      next = page.continue;
    } catch (error) {
      if (!(error instanceof KubeError) || error.status !== 410 || next === undefined) throw error;
      // Compacted between two pages: everything at once, as client-go does.
      next = undefined;
      resourceVersion = undefined;
      limit = 0;
      present.clear();
    }
  } while (next !== undefined || resourceVersion === undefined);
  emit(options, cache.retain(scope, present, resourceVersion));
  return resourceVersion;
}

/** Follows one watch to its end and answers whether it delivered anything. */
async function watch<T extends KubeObject>(
  options: ReflectorOptions<T>,
  stream: { scope: string | undefined; position: Position; signal: AbortSignal; onOpen: () => void },
): Promise<boolean> {
  const { scope, position, signal, onOpen } = stream;
  const { client, resource, cache } = options;
  let delivered = false;
  const query = {
    namespace: scope,
    labelSelector: options.labelSelector,
    fieldSelector: options.fieldSelector,
    resourceVersion: position.resourceVersion ?? "",
    // Spread over 5 to 10 minutes, so that the watches of a fleet do not all end together.
    timeoutSeconds: 300 + Math.floor(Math.random() * 300),
    idleTimeoutMs: options.idleTimeoutMs ?? 90_000,
    onOpen,
    isHeld: (version: string) => cache.isEcho(version),
  };
  for await (const event of client.watch<T>(resource, query, signal)) {
    delivered = true;
    const resourceVersion =
      event.type === "BOOKMARK" ? event.resourceVersion : event.object.metadata.resourceVersion;
    if (event.type === "DELETED") emit(options, cache.remove(event.object));
    else if (event.type !== "BOOKMARK") emit(options, cache.put(event.object));
    if (resourceVersion === undefined || resourceVersion === "") continue;
    position.resourceVersion = resourceVersion;
    cache.advance(scope, resourceVersion);
  }
  return delivered;
}

function emit<T extends KubeObject>(options: ReflectorOptions<T>, changes: readonly CacheChange<T>[]): void {
  for (const change of changes) options.onChange(change);
}
