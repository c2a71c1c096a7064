import { isNewer, objectKey, type KubeObject, type ObjectRef } from "./object.ts";

export type CacheChange<T> =
  | { type: "added"; object: T }
  | { type: "updated"; object: T; previous: T }
  | { type: "deleted"; object: T };

/** Values under which an object is found by `byIndex`. */
type Index<T> = (object: T) => readonly string[];

/**
 * Live objects of one kind by `namespace/name`. Objects are shared, not copied: nobody changes them. A deleted and recreated
 * object (another uid) is a deletion and an addition, never an update. Time never runs backwards: an object older than the
 * one held is not taken in.
 */
export type ObjectCache<T extends KubeObject> = {
  get(ref: ObjectRef): T | undefined;
  getByKey(key: string): T | undefined;
  values(): IterableIterator<T>;
  byIndex(index: string, value: string): readonly T[];
  readonly size: number;
  /**
   * Takes in the answer of one's own write, so that the next look sees it and the watch event that echoes it is no change.
   * Ignored when the watch has already delivered something newer. The answer is what the caller must look at: a change by
   * somebody else that it contains is not announced again. What is held of the same version is replaced, so that less of it may be kept.
   */
  remember(object: T): void;
  /** For the reflector: whether an event of this version echoes a write that was remembered. Asked once of each. */
  isEcho(resourceVersion: string): boolean;
  /** For the reflector: takes in what list and watch say and answers what changed (none, one, or a deletion and an addition). */
  put(object: T): CacheChange<T>[];
  /** For the reflector: the watch says that the object is gone. */
  remove(object: T): CacheChange<T>[];
  /** For the reflector: in `scope` (a namespace, or undefined for all) exactly `keys` existed as of `resourceVersion`. */
  retain(scope: string | undefined, keys: ReadonlySet<string>, resourceVersion: string): CacheChange<T>[];
  /** For the reflector: nothing in `scope` can be known any more, because its kind is gone. */
  clear(scope: string | undefined): CacheChange<T>[];
  /** For the reflector: the watch of `scope` has delivered everything up to `resourceVersion`. */
  advance(scope: string | undefined, resourceVersion: string): void;
};

export type CacheOptions<T> = {
  indexes?: Record<string, Index<T>>;
  /** Drops what nobody reads, on the way in, beyond managedFields and kubectl's last-applied annotation. May change its argument. */
  trim?: (object: T) => T;
  /** Called with each object as it is taken in (also in place of an older one) and as it is gone, for what is counted over all of them. */
  onHeld?: (object: T) => void;
  onDropped?: (object: T) => void;
};

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";

/** An empty cache. */
export function objectCache<T extends KubeObject>(options: CacheOptions<T> = {}): ObjectCache<T> {
  const objects = new Map<string, T>();
  const indexes = indexSet(options.indexes ?? {});
  const delivered = deliveries();
  /** Versions that the watch has yet to deliver. */
  const echoes = new Set<string | undefined>();
  const trimmed = (object: T) => (options.trim ?? ((same: T) => same))(withoutBulk(object));
  const { hold, drop } = holding(objects, indexes, options);
  const dropAll = (gone: T[]): CacheChange<T>[] => {
    for (const object of gone) drop(object);
    return gone.map((object) => ({ type: "deleted", object }));
  };

  return {
    get: (ref) => objects.get(objectKey(ref)),
    getByKey: (key) => objects.get(key),
    values: () => objects.values(),
    byIndex: (index, value) => indexes.find(index, value),
    get size() {
      return objects.size;
    },
    remember(object) {
      const held = objects.get(keyOf(object));
      if (isCopy(held, object)) hold(trimmed(object));
      else if (!delivered.include(object) && isNews(held, object)) {
        hold(trimmed(object));
        echoes.add(object.metadata.resourceVersion);
      }
    },
    isEcho: (resourceVersion) => echoes.delete(resourceVersion),
    put(object) {
      const previous = objects.get(keyOf(object));
      if (!isNews(previous, object)) return [];
      const taken = trimmed(object);
      hold(taken);
      return changesBetween(previous, taken);
    },
    remove(object) {
      const held = objects.get(keyOf(object));
      if (held === undefined) return [];
      // A write already remembered its successor; the old one is gone all the same.
      if (held.metadata.uid !== object.metadata.uid) return [{ type: "deleted", object: trimmed(object) }];
      drop(held);
      return [{ type: "deleted", object: trimmed(object) }];
    },
    retain(scope, keys, resourceVersion) {
      // What the list held is not delivered any more.
      echoes.clear();
      delivered.upTo(scope, resourceVersion);
      // What is newer was written by ourselves after the list was taken.
      const isGone = (object: T) =>
        !keys.has(keyOf(object)) && !isNewer(object.metadata.resourceVersion, resourceVersion);
      return dropAll([...objects.values()].filter((object) => isIn(scope, object) && isGone(object)));
    },
    clear(scope) {
      delivered.forget(scope);
      return dropAll([...objects.values()].filter((object) => isIn(scope, object)));
    },
    advance(scope, resourceVersion) {
      delivered.upTo(scope, resourceVersion);
    },
  };
}

const keyOf = ({ metadata }: KubeObject) => objectKey(metadata);

/** The two ways in which what is held changes, known to indexes and to whoever counts. */
function holding<T extends KubeObject>(
  objects: Map<string, T>,
  indexes: ReturnType<typeof indexSet<T>>,
  { onHeld, onDropped }: CacheOptions<T>,
) {
  return {
    hold(object: T) {
      const key = keyOf(object);
      const previous = objects.get(key);
      if (previous !== undefined) indexes.drop(previous);
      objects.set(key, object);
      indexes.add(object);
      onHeld?.(object);
    },
    drop(object: T) {
      objects.delete(keyOf(object));
      indexes.drop(object);
      onDropped?.(object);
    },
  };
}

/** Where the mark of all namespaces is kept; no namespace has an empty name. */
const everywhere = "";

/** Up to which version watches have delivered everything, by scope. */
function deliveries() {
  const marks = new Map<string, string>();
  return {
    upTo: (scope: string = everywhere, resourceVersion: string) => void marks.set(scope, resourceVersion),
    forget: (scope: string = everywhere) => void marks.delete(scope),
    include({ metadata }: KubeObject): boolean {
      const mark = marks.get(everywhere) ?? marks.get(metadata.namespace ?? everywhere);
      return mark !== undefined && !isNewer(metadata.resourceVersion, mark);
    },
  };
}

function isIn(scope: string | undefined, object: KubeObject): boolean {
  return scope === undefined || object.metadata.namespace === scope;
}

/** Whether they are two of the same version. */
function isCopy(held: KubeObject | undefined, object: KubeObject): boolean {
  if (held === undefined || held === object) return false;
  const { uid, resourceVersion } = object.metadata;
  return held.metadata.uid === uid && held.metadata.resourceVersion === resourceVersion;
}

function isNews(held: KubeObject | undefined, object: KubeObject): boolean {
  return held === undefined || isNewer(object.metadata.resourceVersion, held.metadata.resourceVersion);
}

function changesBetween<T extends KubeObject>(previous: T | undefined, object: T): CacheChange<T>[] {
  if (previous === undefined) return [{ type: "added", object }];
  if (previous.metadata.uid === object.metadata.uid) return [{ type: "updated", object, previous }];
  return [
    { type: "deleted", object: previous },
    { type: "added", object },
  ];
}

/** Nobody here reads field ownership, and it is a third of an object. */
function withoutBulk<T extends KubeObject>(object: T): T {
  const { managedFields: _fields, ...metadata } = object.metadata;
  // Built anew: V8 makes a hash table of an object out of whose middle something is deleted, more than twice as large.
  object.metadata = metadata;
  if (object.metadata.annotations !== undefined) delete object.metadata.annotations[lastApplied];
  return object;
}

/**
 * Objects by the values of each index. Sets of objects rather than of keys: no string is built for a look-up. Most values have one object,
 * which stands for itself: an empty Set takes more memory than many an object.
 */
function indexSet<T extends KubeObject>(indexes: Record<string, Index<T>>) {
  const entries = Object.entries(indexes).map(([name, valuesOf]) => ({
    name,
    valuesOf,
    held: new Map<string, T | Set<T>>(),
  }));
  const each = (object: T, visit: (held: Map<string, T | Set<T>>, value: string) => void) => {
    for (const { held, valuesOf } of entries) for (const value of valuesOf(object)) visit(held, value);
  };
  return {
    add: (object: T) =>
      each(object, (held, value) => {
        const found = held.get(value);
        if (found === undefined) held.set(value, object);
        else if (found instanceof Set) found.add(object);
        else if (found !== object) held.set(value, new Set([found, object]));
      }),
    drop: (object: T) =>
      each(object, (held, value) => {
        const found = held.get(value);
        if (found instanceof Set) found.delete(object);
        if (found === object || (found instanceof Set && found.size === 0)) held.delete(value);
      }),
    find(name: string, value: string): readonly T[] {
      const index = entries.find((entry) => entry.name === name);
      if (index === undefined) throw new Error(`There is no index "${name}".`);
      const found = index.held.get(value);
      if (found === undefined) return [];
      return found instanceof Set ? [...found] : [found];
    },
  };
}

/** An index by the uid of the controlling owner. */
export function byController(object: KubeObject): readonly string[] {
  const owner = object.metadata.ownerReferences?.find((reference) => reference.controller === true);
  return owner === undefined ? [] : [owner.uid];
}
