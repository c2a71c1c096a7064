import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../../runtime/log.ts";
import { settledAnnouncements } from "../discord/auction-message.ts";
import type { Delivery } from "../discord/delivery.ts";
import { dueAtMs } from "../ledger/auction.ts";
import type { ConfiguredRestore } from "../ledger/command.ts";
import { pendingRestore } from "../ledger/decide-restore.ts";
import type { AuctionId } from "../ledger/event.ts";
import type { State } from "../ledger/state.ts";
import { TermLost } from "../store/failure.ts";
import type { GuildLedger } from "../store/request.ts";

export type ClosingOptions = {
  ledger: GuildLedger;
  delivery: Delivery;
  /** The restore that the configuration names now. */
  restore(): ConfiguredRestore | undefined;
  term: bigint;
  signal: AbortSignal;
  log: Logger;
  now(): number;
};

/** Even when nothing is known to be due the ledger is looked at so often, should a notification have been lost. */
const lookAgainMs = 15_000;

/**
 * Settles every auction once it is due, three seconds after its end, under the leader's term: a leader that was replaced
 * without noticing cannot settle anything. Throws TermLost then; every other trouble is tried again.
 */
export async function closeAuctions(options: ClosingOptions): Promise<void> {
  const { ledger, signal, now } = options;
  let wake: (() => void) | undefined;
  const forget = ledger.onAppended(() => wake?.());
  try {
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => (wake = resolve));
      const next = waits(options) ? undefined : earliest(ledger.state());
      if (next !== undefined && next.atMs <= now()) {
        await closed(next.auction, options);
      } else {
        const waitMs = next === undefined ? lookAgainMs : Math.min(next.atMs - now(), lookAgainMs);
        await firstOf(waitMs, woken, signal);
        await lookedAgain(waitMs, options);
      }
    }
  } finally {
    forget();
  }
}

/** Nothing is settled while changes are refused; the event that allows them again wakes this job. */
function waits({ ledger, restore }: ClosingOptions): boolean {
  const state = ledger.state();
  return state.mode.mode !== "active" || pendingRestore(state, restore()) !== undefined;
}

async function closed(auction: AuctionId, options: ClosingOptions): Promise<void> {
  try {
    await close(auction, options);
  } catch (error) {
    if (error instanceof TermLost) {
      throw error;
    }
    options.log.error({ err: error, auction }, "auction not settled, trying again");
    await sleep(2000, undefined, { signal: options.signal }).catch(() => undefined);
  }
}

async function firstOf(waitMs: number, woken: Promise<void>, signal: AbortSignal): Promise<void> {
  const timer = new AbortController();
  const until = AbortSignal.any([timer.signal, signal]);
  await Promise.race([sleep(waitMs, undefined, { signal: until }).catch(() => undefined), woken]);
  timer.abort();
}

async function lookedAgain(waitMs: number, { ledger, log }: ClosingOptions): Promise<void> {
  if (waitMs === lookAgainMs) {
    await ledger.catchUp().catch((error: unknown) => log.debug({ err: error }, "looking for due auctions"));
  }
}

function earliest(state: State): { auction: AuctionId; atMs: number } | undefined {
  let first: { auction: AuctionId; atMs: number } | undefined;
  for (const [id, auction] of state.auctions.entries()) {
    const atMs = dueAtMs(auction);
    if (first === undefined || atMs < first.atMs) {
      first = { auction: id, atMs };
    }
  }
  return first;
}

async function close(
  auction: AuctionId,
  { ledger, delivery, term, signal, log, now }: ClosingOptions,
): Promise<void> {
  const executed = await ledger.execute({
    command: { type: "closeAuction", auction, by: "due" },
    actor: "leader",
    atMs: now(),
    term,
    render: (decision, view) =>
      "refusal" in decision || decision.outcome.kind !== "auctionSettled"
        ? []
        : settledAnnouncements(decision.outcome, view),
  });
  if ("refusal" in executed.decision) {
    // A late bid extended it, an officer settled it, or changes were forbidden just now: look again in a while.
    log.debug({ auction, refusal: executed.decision.refusal.code }, "auction not settled now");
    await ledger.catchUp();
    await sleep(1000, undefined, { signal }).catch(() => undefined);
    return;
  }
  log.info({ auction }, "auction settled");
  void delivery.send(executed.outgoing);
}
