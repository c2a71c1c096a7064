import { setTimeout as sleep } from "node:timers/promises";
import type { APIInteraction, Client } from "discord.js";

export type Overlap = {
  /** The session with the token before, as long as it serves. */
  former(): Client | undefined;
  /** Lets a session serve until `end`. */
  keep(client: Client): void;
  /** Takes an interaction of either session. */
  receive(payload: APIInteraction): void;
  /** Closes the former session. */
  end(): Promise<void>;
};

/**
 * A session with a new token is opened before the one with the old token is closed, so that no interaction falls between
 * them. Those that both bring are taken once.
 */
export function overlapping(onInteraction: (payload: APIInteraction) => void): Overlap {
  const heard = new Set<string>();
  let former: Client | undefined;
  return {
    former: () => former,
    keep(client: Client): void {
      former = client;
    },
    receive(payload: APIInteraction): void {
      if (former !== undefined && heard.has(payload.id)) {
        return;
      }
      if (former !== undefined) {
        heard.add(payload.id);
      }
      onInteraction(payload);
    },
    async end(): Promise<void> {
      const left = former;
      if (left !== undefined) {
        await destroyed(left);
        former = undefined;
        heard.clear();
      }
    },
  };
}

/** Closes a session; one that does not end soon is left to itself. */
export async function destroyed(client: Client): Promise<void> {
  await Promise.race([client.destroy().catch(() => undefined), sleep(2000)]);
}
