import { clientOn } from "./calls.ts";
import type { KubeConnection } from "./config.ts";
import type { KubeObject, ObjectRef, Resource } from "./object.ts";
import { undiciTransport } from "./undici-transport.ts";

export type RequestOptions = {
  signal?: AbortSignal | undefined;
  /** For one attempt, headers and body together; the client's own default otherwise. */
  timeoutMs?: number;
  /** For this call, instead of the client's own. */
  attempts?: number;
};

export type ListQuery = RequestOptions & {
  /** Absent: all namespaces. */
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
  limit?: number;
  continue?: string | undefined;
  /** Absent: a consistent read. */
  resourceVersion?: string;
};

export type ObjectList<T> = { items: T[]; resourceVersion: string; continue?: string };

type WatchQuery = {
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
  /** Events after this version are delivered. */
  resourceVersion: string;
  /** The server closes the watch cleanly after so long. */
  timeoutSeconds?: number;
  /** A watch silent for so long (bookmarks come every minute) is taken for dead and throws. */
  idleTimeoutMs?: number;
  /** Called when the server has accepted the watch; a quiet one delivers nothing for a while. */
  onOpen?: () => void;
  /** Whether the caller holds this version of an object already, from the answer to its own write: such an event comes as a bookmark, unread. */
  isHeld?: (resourceVersion: string) => boolean;
};

export type WatchEvent<T> =
  | { type: "ADDED" | "MODIFIED" | "DELETED"; object: T }
  | { type: "BOOKMARK"; resourceVersion: string };

export type ApplyOptions = RequestOptions & {
  /** Takes fields over from other managers; true unless said otherwise. */
  force?: boolean;
  dryRun?: boolean;
  fieldManager?: string;
};

export type RemoveOptions = RequestOptions & {
  propagation?: "Foreground" | "Background" | "Orphan";
  /** Deletes only the object with this uid (409 otherwise). */
  uid?: string;
  resourceVersion?: string;
  gracePeriodSeconds?: number;
};

/** Told about every attempt: `status` is the HTTP status or "error", `path` is without the query. */
export type RequestObserver = (request: {
  method: string;
  path: string;
  status: string;
  seconds: number;
}) => void;

/**
 * Raw JSON in and out: what is sent is exactly what the caller wrote, what comes back is exactly what the server said.
 * Every method throws KubeError. 429 and 5xx with Retry-After are retried for all calls; connection failures and other
 * 502/503/504 for idempotent ones (all but `create`); bounded in number and by `signal`.
 */
export type KubeClient = {
  /** undefined when the object does not exist (404). */
  get<T extends KubeObject = KubeObject>(
    resource: Resource,
    ref: ObjectRef,
    options?: RequestOptions,
  ): Promise<T | undefined>;
  /** One page. Items carry apiVersion and kind, which the API leaves out of lists. */
  list<T extends KubeObject = KubeObject>(resource: Resource, query?: ListQuery): Promise<ObjectList<T>>;
  /** Ends when the server closes cleanly; throws KubeError on anything else (410: list again). */
  watch<T extends KubeObject = KubeObject>(
    resource: Resource,
    query: WatchQuery,
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>>;
  /** Server-side apply; creates what is missing. Answers the live object. */
  apply<T extends KubeObject = KubeObject>(
    resource: Resource,
    object: KubeObject,
    options?: ApplyOptions,
  ): Promise<T>;
  /** Server-side apply of the status subresource. */
  applyStatus<T extends KubeObject = KubeObject>(
    resource: Resource,
    object: KubeObject,
    options?: ApplyOptions,
  ): Promise<T>;
  mergePatch<T extends KubeObject = KubeObject>(
    resource: Resource,
    ref: ObjectRef,
    patch: Record<string, unknown>,
    options?: RequestOptions & { subresource?: string },
  ): Promise<T>;
  /** Throws 409 AlreadyExists. Not retried once the request may have reached the server. */
  create<T extends KubeObject = KubeObject>(
    resource: Resource,
    object: KubeObject,
    options?: RequestOptions & { dryRun?: boolean },
  ): Promise<T>;
  /** PUT; with metadata.resourceVersion a compare-and-swap that throws 409 Conflict. */
  replace<T extends KubeObject = KubeObject>(
    resource: Resource,
    object: KubeObject,
    options?: RequestOptions & { dryRun?: boolean },
  ): Promise<T>;
  /** Answers whether there was something to delete: false on 404. */
  remove(resource: Resource, ref: ObjectRef, options?: RemoveOptions): Promise<boolean>;
  /** GET of any path as text, e.g. `/readyz` or `/version`. */
  raw(path: string, options?: RequestOptions): Promise<string>;
  /** Ends all watches and connections. */
  close(): Promise<void>;
};

export type KubeClientOptions = {
  connection: KubeConnection;
  /** The field manager of applies, and of the other writes. */
  fieldManager: string;
  userAgent: string;
  /** Connections for everything but watches; each watch has one of its own. 32 by default. */
  connections?: number;
  /** One attempt, 30 s by default. */
  timeoutMs?: number;
  /** Attempts per call, 5 by default. */
  attempts?: number;
  observe?: RequestObserver;
};

/** A client on shared keep-alive connections to one API server. */
export function kubeClient(options: KubeClientOptions): KubeClient {
  return clientOn(undiciTransport(options.connection, options.connections ?? 32), options);
}
