import type { Logger } from "../../runtime/log.ts";
import type { OutboxRow } from "../store/call.ts";
import type { Database } from "../store/database.ts";
import { abandoned, delivered, due, retryLater } from "../store/outbox.ts";
import { coalesced } from "./coalesced.ts";
import { DiscordRefusal } from "./interaction-api.ts";
import type { BotMetrics } from "./metrics.ts";
import { answerCall, editCall, postCall, type Callers, type CallResult } from "./outgoing-call.ts";
import type { Responder } from "./responder.ts";

export type Delivery = {
  /** Sends what an execution of ours left in the outbox. An answer goes through the responder of its interaction. */
  send(rows: readonly OutboxRow[], own?: { interactionId: string; responder: Responder }): Promise<void>;
  /** Sends what is due: left behind by a replica that died, or put off. */
  sweep(): Promise<void>;
  /** Waits for what is being sent. */
  stop(): Promise<void>;
};

export type DeliveryOptions = Callers & {
  database: Database;
  /** This replica's id. */
  replica(): number;
  /** Told how a post or an edit of a remembered message ended: why it was given up, or undefined when it was delivered. */
  onEnded?(subject: string, fault: string | undefined): void;
  metrics: BotMetrics;
  log: Logger;
};

/** Discord takes five edits of a channel's messages in five seconds; the newest state is all that counts. */
const editSpacingMs = 1200;
/** A call that Discord did not take for so many attempts is given up. */
const attemptLimit = 50;
const sweepLimit = 50;

/** Delivers outbox rows: at once those that this replica wrote, and by sweeping those that nobody lives to deliver. */
export function delivery(options: DeliveryOptions): Delivery {
  const sending = new Set<Promise<void>>();
  // A rate limit can hold a call longer than its lease; it must not be sent a second time from here.
  const inHand = new Set<number>();
  const edits = coalesced<OutboxRow>(editSpacingMs, (_subject, row, superseded) =>
    attempt(options, row, () => editCall(row, options), superseded),
  );

  function one(row: OutboxRow, responder: Responder | undefined): Promise<void> {
    const { call } = row;
    if (call.kind === "edit") {
      return edits(call.subject, row);
    }
    return attempt(options, row, () =>
      call.kind === "post" ? postCall(row, call, options) : answerCall(call, responder, options),
    );
  }

  async function send(
    rows: readonly OutboxRow[],
    own?: { interactionId: string; responder: Responder },
  ): Promise<void> {
    const fresh = rows.filter(({ id }) => !inHand.has(id));
    const sent = fresh.map((row) => {
      inHand.add(row.id);
      const mine = row.call.kind === "reply" && row.call.interactionId === own?.interactionId;
      return one(row, mine ? own.responder : undefined).finally(() => inHand.delete(row.id));
    });
    const all = Promise.all(sent).then(() => undefined);
    sending.add(all);
    await all.finally(() => sending.delete(all));
  }

  return {
    send,
    async sweep() {
      void send(await due(options.database, options.replica(), { limit: sweepLimit }));
    },
    async stop() {
      await Promise.allSettled(sending);
    },
  };
}

/** Makes one call and notes what became of it; never throws. */
async function attempt(
  options: DeliveryOptions,
  row: OutboxRow,
  call: () => Promise<CallResult>,
  superseded: OutboxRow[] = [],
): Promise<void> {
  const { database, log } = options;
  try {
    const further = superseded.map(({ id }) => id);
    await settle(options, row, await call(), further);
  } catch (error) {
    if (error instanceof DiscordRefusal) {
      log.warn({ err: error, call: row.call.kind }, "Discord refused an outgoing call");
      await settle(options, row, { kind: "refused", reason: error.message }).catch(() => undefined);
      return;
    }
    log.warn({ err: error, call: row.call.kind }, "outgoing call not delivered, trying again");
    await retryLater(database, row.id, { delayMs: 2000 }).catch(() => undefined);
  }
}

async function settle(
  { database, log, metrics, onEnded = () => undefined }: DeliveryOptions,
  row: OutboxRow,
  result: CallResult,
  further: number[] = [],
): Promise<void> {
  metrics.outbox(row.call.kind, result.kind);
  const subject = row.call.kind === "post" || row.call.kind === "edit" ? row.call.subject : undefined;
  if (result.kind === "done") {
    onEnded(subject ?? "", undefined);
    const place = result.place === undefined ? [] : [{ id: row.id, ...result.place }];
    return delivered(database, [row.id, ...further], place);
  }
  if (result.kind === "later" && row.attempts < attemptLimit) {
    const delayMs = Math.min(60_000, 1000 * 2 ** Math.min(row.attempts, 6));
    log.debug({ call: row.call.kind, reason: result.reason, delayMs }, "outgoing call put off");
    return retryLater(database, row.id, { delayMs });
  }
  log.warn({ call: row.call.kind, subject, reason: result.reason }, "outgoing call given up");
  onEnded(subject ?? "", result.reason);
  return abandoned(database, row.id, result.reason);
}
