import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "../../runtime/log.ts";
import { ClaimLost, isTransient } from "../store/failure.ts";
import { tokenLifeMs } from "./outgoing.ts";

/** No attempt begins later: what is left of the token's life is for the last one, and for saying that it failed. */
const patienceMs = tokenLifeMs - 2 * 60_000;
/** What fails for no passing reason is tried so often in all. */
const attempts = 3;
const pauseMs = { first: 100, longest: 2000 };

/**
 * Does a part of a command's work again after an operational failure: for as long as the interaction can be answered while the
 * database is away, a few times otherwise. What is done must be fine to do twice.
 * @throws the last failure
 */
export async function persistently<Result>(
  deed: () => Promise<Result>,
  { createdAtMs, id }: { readonly createdAtMs: number; readonly id: string },
  { surroundings, log }: { readonly surroundings: { now(): number }; readonly log: Logger },
): Promise<Result> {
  let waitMs = pauseMs.first;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await deed();
    } catch (error) {
      const hopeless =
        error instanceof ClaimLost || error instanceof TypeError || error instanceof RangeError;
      const tried = attempt >= attempts && !isTransient(error);
      if (hopeless || tried || surroundings.now() > createdAtMs + patienceMs) {
        throw error;
      }
      log.warn({ err: error, interaction: id, attempt }, "command not carried out, trying again");
    }
    await pause(waitMs * (0.5 + Math.random()));
    waitMs = Math.min(waitMs * 2, pauseMs.longest);
  }
}
