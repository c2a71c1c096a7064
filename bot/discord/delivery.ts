import { InteractionResponseType } from "discord.js";
import type { Logger } from "../../runtime/log.ts";
import type { OutboxRow, OutgoingCall } from "../store/call.ts";
import type { Database } from "../store/database.ts";
import { abandoned, delivered, due, retryLater } from "../store/outbox.ts";
import type { GuildLedger } from "../store/request.ts";
import { currentAuctionBody } from "./auction-message.ts";
import type { BotApi, MessagePlace } from "./bot-api.ts";
import { coalesced } from "./coalesced.ts";
import { DiscordRefusal, type InteractionApi } from "./interaction-api.ts";
import type { BotMetrics } from "./metrics.ts";
import { edited } from "./outgoing.ts";
import type { Responder } from "./responder.ts";
import { snowflakeTimeMs } from "./snowflake.ts";

export type Delivery = {
  /** Sends what an execution of ours left in the outbox. An answer goes through the responder of its interaction. */
  send(rows: readonly OutboxRow[], own?: { interactionId: string; responder: Responder }): Promise<void>;
  /** Sends what is due: left behind by a replica that died, or put off. */
  sweep(): Promise<void>;
  /** Waits for what is being sent. */
  stop(): Promise<void>;
};

export type DeliveryOptions = {
  database: Database;
  /** This replica's id, which changes when its connection to the database does. */
  replica(): number;
  ledger: GuildLedger;
  interactions: InteractionApi;
  bot: BotApi;
  metrics: BotMetrics;
  log: Logger;
  now(): number;
};

/** Discord takes five edits of a channel's messages in five seconds; the newest state is all that counts. */
const editSpacingMs = 1200;
/** An answer whose interaction was never acknowledged can still be the first answer for so long. */
const firstAnswerMs = 2900;
/** A post or edit that Discord did not take for so many attempts is given up. */
const attemptLimit = 50;

type Result = { kind: "done"; place?: MessagePlace } | { kind: "refused" | "later"; reason: string };

/** Delivers outbox rows: at once those that this replica wrote, and by sweeping those that nobody lives to deliver. */
export function delivery(options: DeliveryOptions): Delivery {
  const { database, log, metrics } = options;
  const sending = new Set<Promise<void>>();
  // A rate limit can hold a call longer than its lease; it must not be sent a second time from here.
  const inHand = new Set<number>();
  const edits = coalesced<OutboxRow>(editSpacingMs, async (subject, row, superseded) => {
    await attempt(row, () => edit(row, subject), superseded);
  });

  async function settle(row: OutboxRow, result: Result, further: number[] = []): Promise<void> {
    metrics.outbox(row.call.kind, result.kind);
    if (result.kind === "done") {
      const place = result.place === undefined ? [] : [{ id: row.id, ...result.place }];
      return delivered(database, [row.id, ...further], place);
    }
    if (result.kind === "later" && row.attempts < attemptLimit) {
      const delayMs = Math.min(60_000, 1000 * 2 ** Math.min(row.attempts, 6));
      log.debug({ call: row.call.kind, reason: result.reason, delayMs }, "outgoing call put off");
      return retryLater(database, row.id, { delayMs });
    }
    log.warn({ call: row.call.kind, reason: result.reason }, "outgoing call given up");
    return abandoned(database, row.id, result.reason);
  }

  async function answer(
    call: Extract<OutgoingCall, { kind: "reply" | "followup" }>,
    responder: Responder | undefined,
  ): Promise<Result> {
    if (options.now() > call.expiresAtMs) {
      return { kind: "refused", reason: "the interaction's fifteen minutes are over" };
    }
    const shown = await (responder === undefined ? inherited(call) : responder.answer(call.body));
    return shown
      ? { kind: "done" }
      : { kind: "refused", reason: "the interaction was never acknowledged or is over" };
  }

  /** Another replica's answer: perhaps it was shown, perhaps announced, perhaps nothing was said yet. */
  async function inherited(call: Extract<OutgoingCall, { kind: "reply" | "followup" }>): Promise<boolean> {
    const interaction = { id: call.interactionId, token: call.token, applicationId: call.applicationId };
    const deadlineMs = options.now() + 8000;
    if (call.kind === "followup") {
      return options.interactions.followup(interaction, call.body, deadlineMs);
    }
    const component = call.body["flags"] === undefined;
    if (options.now() - snowflakeTimeMs(call.interactionId) < firstAnswerMs) {
      const type = component
        ? InteractionResponseType.UpdateMessage
        : InteractionResponseType.ChannelMessageWithSource;
      const result = await options.interactions
        .callback(interaction, { type, data: call.body }, options.now() + 1000)
        .catch(() => "perhaps" as const);
      if (result === "acknowledged") {
        return true;
      }
    }
    return options.interactions.editOriginal(interaction, edited(call.body), deadlineMs);
  }

  async function post(
    row: OutboxRow,
    { channelId, body }: Extract<OutgoingCall, { kind: "post" }>,
  ): Promise<Result> {
    const sent = await options.bot.post(channelId, body, row.nonce);
    return sent.kind === "done" ? { kind: "done", place: sent.value } : sent;
  }

  async function edit(row: OutboxRow, subject: string): Promise<Result> {
    if (row.message === undefined) {
      return { kind: "later", reason: "its message is not posted yet" };
    }
    await options.ledger.catchUp();
    const body = currentAuctionBody(subject, row.call.body, options.ledger.view());
    return body === undefined ? { kind: "done" } : options.bot.edit(row.message, body);
  }

  function one(row: OutboxRow, responder: Responder | undefined): Promise<void> {
    const { call } = row;
    if (call.kind === "edit") {
      return edits(call.subject, row);
    }
    return attempt(row, () => (call.kind === "post" ? post(row, call) : answer(call, responder)));
  }

  async function attempt(
    row: OutboxRow,
    call: () => Promise<Result>,
    superseded: OutboxRow[] = [],
  ): Promise<void> {
    try {
      await settle(
        row,
        await call(),
        superseded.map(({ id }) => id),
      );
    } catch (error) {
      if (error instanceof DiscordRefusal) {
        log.warn({ err: error, call: row.call.kind }, "Discord refused an outgoing call");
        await settle(row, { kind: "refused", reason: error.message }).catch(() => undefined);
        return;
      }
      log.warn({ err: error, call: row.call.kind }, "outgoing call not delivered, trying again");
      await retryLater(database, row.id, { delayMs: 2000 }).catch(() => undefined);
    }
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
      const rows = await due(database, options.replica(), { limit: 50 });
      void send(rows);
    },
    async stop() {
      await Promise.allSettled(sending);
    },
  };
}
