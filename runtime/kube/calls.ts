import { callerOf, type Call, type Caller } from "./caller.ts";
import type {
  ApplyOptions,
  KubeClient,
  KubeClientOptions,
  ListQuery,
  ObjectList,
  RemoveOptions,
} from "./client.ts";
import { KubeError } from "./error.ts";
import { apiVersionOf, resourcePath, type KubeObject, type ObjectRef, type Resource } from "./object.ts";
import type { Transport } from "./transport.ts";

/** A client on any transport. */
export function clientOn(transport: Transport, options: KubeClientOptions): KubeClient {
  const caller = callerOf(options, transport);
  return {
    ...readCalls(caller),
    ...writeCalls(caller, options.fieldManager),
    raw: (path, request) => caller.text({ method: "GET", path, idempotent: true, options: request }),
    close: () => transport.close(),
  };
}

function readCalls(caller: Caller): Pick<KubeClient, "get" | "list" | "watch"> {
  return {
    get: (resource, ref, options) =>
      unlessMissing(
        caller.json({ method: "GET", path: resourcePath(resource, ref), idempotent: true, options }),
        undefined,
      ),
    async list<T extends KubeObject>(resource: Resource, query: ListQuery = {}): Promise<ObjectList<T>> {
      const { namespace, labelSelector, fieldSelector, limit, resourceVersion } = query;
      const page = await caller.json<{
        metadata: { resourceVersion?: string; continue?: string };
        items: T[] | null;
      }>({
        method: "GET",
        path: resourcePath(resource, { namespace }),
        query: { labelSelector, fieldSelector, limit, continue: query.continue, resourceVersion },
        idempotent: true,
        options: query,
      });
      const items = page.items ?? [];
      const apiVersion = apiVersionOf(resource);
      for (const item of items) {
        item.apiVersion = apiVersion;
        item.kind = resource.kind;
      }
      const next = page.metadata.continue;
      return {
        items,
        resourceVersion: page.metadata.resourceVersion ?? "",
        ...(next === undefined || next === "" ? {} : { continue: next }),
      };
    },
    watch(resource, query, signal) {
      const { namespace, labelSelector, fieldSelector, resourceVersion, timeoutSeconds } = query;
      const parameters = { labelSelector, fieldSelector, resourceVersion, timeoutSeconds };
      const call: Call = {
        method: "GET",
        path: resourcePath(resource, { namespace }),
        query: { watch: "true", allowWatchBookmarks: "true", ...parameters },
        idempotent: true,
        options: { signal },
      };
      const { idleTimeoutMs = 90_000, onOpen, isHeld } = query;
      return caller.stream(call, { idleTimeoutMs, onOpen, isHeld });
    },
  };
}

function writeCalls(
  caller: Caller,
  manager: string,
): Omit<KubeClient, "get" | "list" | "watch" | "raw" | "close"> {
  const write = <T>(resource: Resource, call: Omit<Call, "idempotent"> & { idempotent?: boolean }) =>
    caller.json<T>({
      idempotent: true,
      confidential: resource.group === "" && resource.kind === "Secret",
      ...call,
    });
  const apply = <T>(
    resource: Resource,
    object: KubeObject,
    subresource?: string,
    options: ApplyOptions = {},
  ) =>
    write<T>(resource, {
      method: "PATCH",
      path: resourcePath(resource, { ...refOf(object), subresource }),
      query: {
        fieldManager: options.fieldManager ?? manager,
        force: String(options.force ?? true),
        dryRun: options.dryRun === true ? "All" : undefined,
      },
      body: object,
      contentType: "application/apply-patch+yaml",
      options,
    });
  const query = { fieldManager: manager };
  const tried = ({ dryRun }: { dryRun?: boolean } = {}) =>
    dryRun === true ? { ...query, dryRun: "All" } : query;
  return {
    apply: (resource, object, options) => apply(resource, object, undefined, options),
    applyStatus: (resource, object, options) => apply(resource, object, "status", options),
    mergePatch(resource, ref, patch, options) {
      const path = resourcePath(resource, { ...ref, subresource: options?.subresource });
      const contentType = "application/merge-patch+json";
      return write(resource, { method: "PATCH", path, query, body: patch, contentType, options });
    },
    create(resource, object, options) {
      const path = resourcePath(resource, { namespace: object.metadata.namespace });
      return write(resource, {
        method: "POST",
        path,
        query: tried(options),
        body: object,
        idempotent: false,
        options,
      });
    },
    replace(resource, object, options) {
      const path = resourcePath(resource, refOf(object));
      return write(resource, { method: "PUT", path, query: tried(options), body: object, options });
    },
    remove(resource, ref, options) {
      const path = resourcePath(resource, ref);
      const removed = caller.text({
        method: "DELETE",
        path,
        body: deleteOptions(options),
        idempotent: true,
        options,
      });
      return unlessMissing(
        removed.then(() => true),
        false,
      );
    },
  };
}

function deleteOptions(options: RemoveOptions = {}): Record<string, unknown> {
  const { propagation, uid, resourceVersion, gracePeriodSeconds } = options;
  return {
    apiVersion: "v1",
    kind: "DeleteOptions",
    propagationPolicy: propagation ?? "Background",
    preconditions: { uid, resourceVersion },
    gracePeriodSeconds,
  };
}

function refOf(object: KubeObject): ObjectRef {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? { name } : { namespace, name };
}

async function unlessMissing<T, M>(answer: Promise<T>, missing: M): Promise<T | M> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof KubeError && error.status === 404) return missing;
    throw error;
  }
}
