import type { Logger } from "../log.ts";
import type { CacheChange, ObjectCache } from "./cache.ts";
import type { KubeClient } from "./client.ts";
import type { KubeObject, Resource } from "./object.ts";

/** "absent": the API server does not know the kind (its CRD is missing); asked again until it does. */
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

/** Keeps `cache` equal to what the API server holds, by list and watch. */
export function reflect<T extends KubeObject>(_options: ReflectorOptions<T>): Reflector {
  throw new Error("not built yet");
}
