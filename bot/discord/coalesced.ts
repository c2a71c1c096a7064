import { setTimeout as sleep } from "node:timers/promises";

/**
 * Work of which only the newest counts, by key: the first runs at once, what arrives while it runs or within `spacingMs`
 * after it is replaced by the newest, which then runs with those it superseded. `work` must not throw.
 */
export function coalesced<Item>(
  spacingMs: number,
  work: (key: string, item: Item, superseded: Item[]) => Promise<void>,
): (key: string, item: Item) => Promise<void> {
  const running = new Map<string, { waiting: Item[]; done: Promise<void> }>();

  async function run(key: string, waiting: Item[]): Promise<void> {
    for (let item = waiting.pop(); item !== undefined; item = waiting.pop()) {
      await work(key, item, waiting.splice(0));
      await sleep(spacingMs);
    }
    running.delete(key);
  }

  return (key, item) => {
    const entry = running.get(key);
    if (entry !== undefined) {
      entry.waiting.push(item);
      return entry.done;
    }
    const waiting = [item];
    const started = { waiting, done: Promise.resolve() };
    running.set(key, started);
    started.done = run(key, waiting);
    return started.done;
  };
}
