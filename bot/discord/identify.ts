import { setTimeout as sleep } from "node:timers/promises";
import type { APIGatewayBotInfo } from "discord.js";

/** Decides when this process may IDENTIFY. */
export type IdentifyGate = {
  /**
   * Resolves when it is this process's turn and Discord has enough session starts left. `information` asks Discord
   * anew. Rejects only when `signal` is aborted, for discord.js would identify on any other rejection.
   */
  wait(information: () => Promise<APIGatewayBotInfo>, signal: AbortSignal): Promise<void>;
};

/** Runs `identify` when it is this process's turn among the replicas, or throws when nobody can say whose turn it is. */
type IdentifyTurn = (signal: AbortSignal, identify: () => Promise<void>) => Promise<void>;

export type IdentifyGateOptions = {
  turn: IdentifyTurn;
  /** Session starts that are never spent: Discord resets a token that used up its thousand of a day. */
  reserve: number;
  /** Discord allows one IDENTIFY in this time (for one shard of `max_concurrency` 1). */
  spacingMs: number;
  /** Told when the budget is too low, with when it is filled up again. */
  onBudget(remaining: number, resetAtMs: number): void;
  onTrouble(error: unknown): void;
  now(): number;
};

/** One IDENTIFY at a time across the replicas, and none from the reserve. */
export function identifyGate(options: IdentifyGateOptions): IdentifyGate {
  async function budget(information: () => Promise<APIGatewayBotInfo>, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const limit = await information().then(
        (gateway) => gateway.session_start_limit,
        (error: unknown) => {
          options.onTrouble(error);
          return undefined;
        },
      );
      if (limit !== undefined && limit.remaining >= options.reserve) {
        return;
      }
      if (limit === undefined) {
        await sleep(5000, undefined, { signal });
        continue;
      }
      options.onBudget(limit.remaining, options.now() + limit.reset_after);
      await sleep(Math.min(Math.max(limit.reset_after, 1000), 60_000), undefined, { signal });
    }
  }

  return {
    async wait(information, signal) {
      let begun = false;
      try {
        await options.turn(signal, () => {
          begun = true;
          return budget(information, signal);
        });
      } catch (error) {
        signal.throwIfAborted();
        options.onTrouble(error);
        if (!begun) {
          // Without the database nobody knows whose turn it is; spread the replicas over a few turns instead.
          await sleep(Math.random() * 3 * options.spacingMs, undefined, { signal });
          await budget(information, signal);
        }
      }
    },
  };
}
