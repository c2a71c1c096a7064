/** Which guild, by its key, was seen to use the token of which hash, while no status says so yet. */
export type TokenRegister = {
  /** Answers whether that was unknown. */
  note(key: string, hash: string): boolean;
  forget(key: string): void;
  keysOf(hash: string): readonly string[];
};

/** An empty one. */
export function tokenRegister(): TokenRegister {
  const hashes = new Map<string, string>();
  const keys = new Map<string, Set<string>>();
  const forget = (key: string) => {
    const hash = hashes.get(key);
    if (hash === undefined) return;
    hashes.delete(key);
    const sharers = keys.get(hash);
    sharers?.delete(key);
    if (sharers?.size === 0) keys.delete(hash);
  };
  return {
    forget,
    note(key, hash) {
      if (hashes.get(key) === hash) return false;
      forget(key);
      hashes.set(key, hash);
      keys.set(hash, (keys.get(hash) ?? new Set()).add(key));
      return true;
    },
    keysOf: (hash) => [...(keys.get(hash) ?? [])],
  };
}
