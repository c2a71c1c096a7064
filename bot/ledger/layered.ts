/**
 * A map on top of another: writes stay in the upper layer until they are merged down or dropped. A replica decides a
 * batch on a layer over its state and merges it once PostgreSQL has accepted the batch.
 */
export type Layered<Key, Value> = {
  get(key: Key): Value | undefined;
  has(key: Key): boolean;
  set(key: Key, value: Value): void;
  delete(key: Key): void;
  /** Every entry; costs as much as the map is large. */
  entries(): Iterable<readonly [Key, Value]>;
  /** What this layer wrote; undefined stands for a deletion. Nothing on a map that has none below. */
  writes(): Iterable<readonly [Key, Value | undefined]>;
  /** A layer over this map; the map must not be written while the layer is in use. */
  fork(): Layered<Key, Value>;
  /** Writes this layer into the map below it. Does nothing on a map that has none. */
  merge(): void;
};

const gone = Symbol("deleted in this layer");

/** An empty map at the bottom of the layers. */
export function layered<Key, Value>(): Layered<Key, Value> {
  const entries = new Map<Key, Value>();
  const self: Layered<Key, Value> = {
    get: (key) => entries.get(key),
    has: (key) => entries.has(key),
    set: (key, value) => void entries.set(key, value),
    delete: (key) => void entries.delete(key),
    entries: () => entries.entries(),
    writes: () => [],
    fork: () => layerOver(self),
    merge: () => undefined,
  };
  return self;
}

function layerOver<Key, Value>(below: Layered<Key, Value>): Layered<Key, Value> {
  const written = new Map<Key, Value | typeof gone>();
  const get = (key: Key): Value | undefined => {
    const value = written.get(key);
    if (value === undefined) {
      return below.get(key);
    }
    return value === gone ? undefined : value;
  };
  const self: Layered<Key, Value> = {
    get,
    has: (key) => get(key) !== undefined,
    set: (key, value) => void written.set(key, value),
    delete: (key) => void written.set(key, gone),
    *entries() {
      for (const entry of below.entries()) {
        if (!written.has(entry[0])) {
          yield entry;
        }
      }
      for (const [key, value] of written) {
        if (value !== gone) {
          yield [key, value];
        }
      }
    },
    *writes() {
      for (const [key, value] of written) {
        yield [key, value === gone ? undefined : value];
      }
    },
    fork: () => layerOver(self),
    merge() {
      for (const [key, value] of written) {
        if (value === gone) {
          below.delete(key);
        } else {
          below.set(key, value);
        }
      }
      written.clear();
    },
  };
  return self;
}
