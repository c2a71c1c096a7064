import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { workQueue, type ReconcileResult, type WorkQueue } from "../../runtime/kube/work-queue.ts";

type Step = { key: string; action: "add" | "addAfter"; fails: boolean; requeues: boolean; takesMs: number };

const step: fc.Arbitrary<Step> = fc.record({
  key: fc.constantFrom("a", "b", "c", "d"),
  action: fc.constantFrom("add", "addAfter"),
  fails: fc.boolean(),
  requeues: fc.boolean(),
  takesMs: fc.integer({ min: 0, max: 3 }),
});

const quiet = () => undefined;

/** Resolves when nothing waits, runs or is planned within a few moments. */
async function settled(queue: WorkQueue, reconciled: () => number): Promise<void> {
  let before = -1;
  await vi.waitFor(
    () => {
      const now = reconciled();
      const isStill = queue.depth() === 0 && queue.running() === 0 && now === before;
      before = now;
      expect(isStill).toBe(true);
    },
    { timeout: 10_000, interval: 25 },
  );
}

describe("laws of the work queue", () => {
  test("never two workers on one key, never more than allowed, and every addition is followed by a look", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 3 }),
        async (steps, workers) => {
          const running = new Set<string>();
          const added = new Map<string, number>();
          const seen = new Map<string, number>();
          const plans = new Map<string, Step[]>();
          let count = 0;
          let clashes = 0;
          const queue = workQueue({
            workers,
            baseDelayMs: 1,
            maxDelayMs: 4,
            onError: quiet,
            async reconcile(key): Promise<ReconcileResult> {
              if (running.has(key) || running.size >= workers) clashes += 1;
              running.add(key);
              // What was added before this moment is served by this look.
              seen.set(key, added.get(key) ?? 0);
              count += 1;
              const plan = plans.get(key)?.shift();
              await new Promise((resolve) => setTimeout(resolve, plan?.takesMs ?? 0));
              running.delete(key);
              if (plan?.fails === true) throw new Error("refused");
              return plan?.requeues === true ? { requeueAfterMs: 1 } : undefined;
            },
          });
          for (const one of steps) {
            plans.set(one.key, [...(plans.get(one.key) ?? []), one]);
            added.set(one.key, (added.get(one.key) ?? 0) + 1);
            if (one.action === "add") queue.add(one.key);
            else queue.addAfter(one.key, one.takesMs);
            if (one.takesMs > 1) await new Promise((resolve) => setTimeout(resolve, 1));
          }
          await settled(queue, () => count);
          await queue.drain();
          expect(clashes).toBe(0);
          expect(seen).toEqual(added);
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe("the work queue", () => {
  test("works once on a key that is added many times at once", async () => {
    const seen: string[] = [];
    const queue = workQueue({ workers: 4, onError: quiet, reconcile: async (key) => void seen.push(key) });
    for (let count = 0; count < 5; count++) queue.add("a");
    queue.add("b");
    await vi.waitFor(() => expect(seen).toEqual(["a", "b"]));
    await queue.drain();
    expect(seen).toEqual(["a", "b"]);
  });

  test("works again on a key that is added while it is worked on", async () => {
    const gate = Promise.withResolvers<void>();
    let looks = 0;
    const queue = workQueue({
      workers: 2,
      onError: quiet,
      async reconcile() {
        looks += 1;
        if (looks === 1) await gate.promise;
      },
    });
    queue.add("a");
    await vi.waitFor(() => expect(queue.running()).toBe(1));
    queue.add("a");
    queue.add("a");
    expect(looks).toBe(1);
    gate.resolve();
    await vi.waitFor(() => expect(looks).toBe(2));
    await queue.drain();
    expect(looks).toBe(2);
  });

  test("backs off further with each failure of a key, and forgets after a success", async () => {
    const told: { key: string; failures: number; retryInMs: number }[] = [];
    let looks = 0;
    const queue = workQueue({
      workers: 1,
      baseDelayMs: 4,
      maxDelayMs: 16,
      onError: ({ key, failures, retryInMs }) => told.push({ key, failures, retryInMs }),
      async reconcile() {
        looks += 1;
        if (looks !== 6) throw new Error("refused");
      },
    });
    queue.add("a");
    await vi.waitFor(() => expect(looks).toBe(6));
    queue.add("a");
    await vi.waitFor(() => expect(told.length).toBeGreaterThanOrEqual(6));
    await queue.stop();
    expect(told.slice(0, 6).map((one) => one.failures)).toEqual([1, 2, 3, 4, 5, 1]);
    const ceilings = [4, 8, 16, 16, 16, 4];
    for (const [index, ceiling] of ceilings.entries()) {
      expect(told[index]?.retryInMs).toBeLessThanOrEqual(ceiling);
      expect(told[index]?.retryInMs).toBeGreaterThanOrEqual(ceiling / 2);
    }
  });

  test("a failing key does not hold up another", async () => {
    const seen: string[] = [];
    const queue = workQueue({
      workers: 1,
      baseDelayMs: 60_000,
      maxDelayMs: 60_000,
      onError: quiet,
      async reconcile(key) {
        seen.push(key);
        if (key === "bad") throw new Error("refused");
      },
    });
    queue.add("bad");
    queue.add("good");
    await vi.waitFor(() => expect(seen).toEqual(["bad", "good"]));
    queue.add("bad");
    await vi.waitFor(() => expect(seen).toEqual(["bad", "good", "bad"]));
    await queue.stop();
  });

  test("drains: what runs ends undisturbed, what waits is not begun", async () => {
    const gate = Promise.withResolvers<void>();
    const seen: string[] = [];
    let disturbed = false;
    const queue = workQueue({
      workers: 1,
      onError: quiet,
      async reconcile(key, signal) {
        seen.push(key);
        await gate.promise;
        disturbed = signal.aborted;
      },
    });
    queue.add("a");
    queue.add("b");
    queue.addAfter("c", 1);
    await vi.waitFor(() => expect(seen).toEqual(["a"]));
    const drained = queue.drain();
    queue.add("d");
    gate.resolve();
    await drained;
    expect(seen).toEqual(["a"]);
    expect(disturbed).toBe(false);
  });

  test("stop tells what runs to give up", async () => {
    const queue = workQueue({
      workers: 1,
      onError: quiet,
      reconcile: (_, signal) => new Promise((resolve) => signal.addEventListener("abort", () => resolve())),
    });
    queue.add("a");
    await vi.waitFor(() => expect(queue.running()).toBe(1));
    await queue.stop();
    expect(queue.running()).toBe(0);
  });

  test("of two plans for a key the earlier stands", async () => {
    let looks = 0;
    const queue = workQueue({ workers: 1, onError: quiet, reconcile: async () => void (looks += 1) });
    queue.addAfter("a", 1);
    queue.addAfter("a", 60_000);
    await vi.waitFor(() => expect(looks).toBe(1));
    queue.addAfter("b", 60_000);
    queue.addAfter("b", 1);
    await vi.waitFor(() => expect(looks).toBe(2));
    await queue.drain();
  });
});
