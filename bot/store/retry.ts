import { setTimeout as pause } from "node:timers/promises";
import { isTransient } from "./failure.ts";

/**
 * Tries again with growing pauses while the failure is transient and time is left.
 * @param deadlineMs by performance.now()
 * @throws the last failure
 */
export async function retried<Result>(deadlineMs: number, attempt: () => Promise<Result>): Promise<Result> {
  for (let pauseMs = 25; ; pauseMs = Math.min(pauseMs * 2, 1_000)) {
    try {
      return await attempt();
    } catch (error) {
      if (!isTransient(error) || performance.now() + pauseMs > deadlineMs) {
        throw error;
      }
      // Replicas that lost the database together must not come back in step.
      await pause(pauseMs * (0.5 + Math.random()));
    }
  }
}
