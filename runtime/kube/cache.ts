import type { KubeObject, ObjectRef } from "./object.ts";

export type CacheChange<T> =
  | { type: "added"; object: T }
  | { type: "updated"; object: T; previous: T }
  | { type: "deleted"; object: T };

/** Values under which an object is found by `byIndex`. */
export type Index<T> = (object: T) => readonly string[];

/**
 * Live objects of one kind by `namespace/name`. Objects are shared, not copied: nobody changes them. A deleted and recreated
 * object (another uid) is a deletion and an addition, never an update.
 */
export type ObjectCache<T extends KubeObject> = {
  get(ref: ObjectRef): T | undefined;
  getByKey(key: string): T | undefined;
  values(): IterableIterator<T>;
  byIndex(index: string, value: string): readonly T[];
  readonly size: number;
  /**
   * Takes in the answer of one's own write, so that the next look sees it and the watch event that echoes it is no change.
   * Ignored when the watch has already delivered something as new.
   */
  remember(object: T): void;
  /** For the reflector: takes in what list and watch say and answers what changed (none, one, or a deletion and an addition). */
  put(object: T): CacheChange<T>[];
  remove(object: T): CacheChange<T>[];
  /** For the reflector: everything in `scope` (a namespace, or undefined for all) is now exactly this, as of `resourceVersion`. */
  replace(scope: string | undefined, objects: Iterable<T>, resourceVersion: string): CacheChange<T>[];
  /** For the reflector: the watch of `scope` has delivered everything up to `resourceVersion`. */
  advance(scope: string | undefined, resourceVersion: string): void;
};

export type CacheOptions<T> = {
  indexes?: Record<string, Index<T>>;
  /** Drops what nobody reads, on the way in, beyond managedFields and kubectl's last-applied annotation. May change its argument. */
  trim?: (object: T) => T;
};

/** An empty cache. */
export function objectCache<T extends KubeObject>(_options: CacheOptions<T> = {}): ObjectCache<T> {
  throw new Error("not built yet");
}

/** An index by the uid of the controlling owner. */
export function byController(object: KubeObject): readonly string[] {
  const owner = object.metadata.ownerReferences?.find((reference) => reference.controller === true);
  return owner === undefined ? [] : [owner.uid];
}
