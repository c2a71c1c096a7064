/** Something that happens again and again, and that others wait for. */
export type Announcement = {
  tell(): void;
  /** Resolves the next time it happens, or when `signal` is aborted. */
  heard(signal: AbortSignal): Promise<void>;
};

/** Whoever waits hears of what happens from then on; nobody is told of what happened before. */
export function announcement(): Announcement {
  const waiting = new Set<() => void>();
  return {
    tell() {
      for (const resolve of waiting) {
        resolve();
      }
    },
    heard(signal) {
      return new Promise((resolve) => {
        const done = () => {
          waiting.delete(done);
          signal.removeEventListener("abort", done);
          resolve();
        };
        if (signal.aborted) {
          resolve();
          return;
        }
        waiting.add(done);
        signal.addEventListener("abort", done);
      });
    },
  };
}
