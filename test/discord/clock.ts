/** Time as the stand-in knows it, so that tests need not wait for the fifteen minutes of a token. */
export type Clock = {
  /** Milliseconds since the epoch. */
  nowMs(): number;
  /** Calls back once after that many milliseconds; the function returned takes it back. */
  after(delayMs: number, call: () => void): () => void;
};

/** The machine's clock. Its timers never keep a process alive. */
export function systemClock(): Clock {
  return {
    nowMs: () => Date.now(),
    after(delayMs, call) {
      const timer = setTimeout(call, delayMs);
      timer.unref();
      return () => clearTimeout(timer);
    },
  };
}

/** A clock that runs with the machine's and can be put forward; what falls due on the way is called in order. */
export function adjustableClock(): Clock & { advance(byMs: number): void } {
  const pending = new Set<{ atMs: number; call: () => void }>();
  let aheadMs = 0;
  const nowMs = () => Date.now() + aheadMs;
  const fire = () => {
    const due = [...pending].filter(({ atMs }) => atMs <= nowMs()).sort((a, b) => a.atMs - b.atMs);
    for (const entry of due) if (pending.delete(entry)) entry.call();
  };
  return {
    nowMs,
    after(delayMs, call) {
      const entry = { atMs: nowMs() + delayMs, call };
      pending.add(entry);
      const timer = setTimeout(fire, delayMs + 1);
      timer.unref();
      return () => {
        pending.delete(entry);
        clearTimeout(timer);
      };
    },
    advance(byMs) {
      aheadMs += byMs;
      fire();
    },
  };
}
