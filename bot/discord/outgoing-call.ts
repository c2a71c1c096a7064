import { InteractionResponseType } from "./discord-js.ts";
import type { OutboxRow, OutgoingCall } from "../store/call.ts";
import type { GuildLedger } from "../store/request.ts";
import { currentAuctionBody } from "./auction-message.ts";
import type { BotApi, MessagePlace } from "./bot-api.ts";
import type { InteractionApi } from "./interaction-api.ts";
import { edited } from "./outgoing.ts";
import type { Responder } from "./responder.ts";
import { snowflakeTimeMs } from "./snowflake.ts";

/** What calls are made with. */
export type Callers = { interactions: InteractionApi; bot: BotApi; ledger: GuildLedger; now(): number };

export type CallResult =
  | { kind: "done"; place?: MessagePlace }
  | { kind: "refused" | "later"; reason: string };

type AnswerCall = Extract<OutgoingCall, { kind: "reply" | "followup" }>;

/** An answer whose interaction was never acknowledged can still be the first answer for so long. */
const firstAnswerMs = 2900;
/** How long an edit of an answer is tried before the outbox waits. */
const answerForMs = 8000;

/** Gives an answer: through the responder of the interaction, or as another replica's that is gone. */
export async function answerCall(
  call: AnswerCall,
  responder: Responder | undefined,
  callers: Callers,
): Promise<CallResult> {
  if (callers.now() > call.expiresAtMs) {
    return { kind: "refused", reason: "the interaction's fifteen minutes are over" };
  }
  const shown = await (responder === undefined ? inherited(call, callers) : responder.answer(call.body));
  return shown
    ? { kind: "done" }
    : { kind: "refused", reason: "the interaction was never acknowledged or is over" };
}

/** Another replica's answer: perhaps it was shown, perhaps announced, perhaps nothing was said yet. */
async function inherited(call: AnswerCall, { interactions, now }: Callers): Promise<boolean> {
  const interaction = { id: call.interactionId, token: call.token, applicationId: call.applicationId };
  if (call.kind === "followup") {
    return interactions.followup(interaction, call.body, now() + answerForMs);
  }
  if (now() - snowflakeTimeMs(call.interactionId) < firstAnswerMs) {
    const type =
      call.body["flags"] === undefined
        ? InteractionResponseType.UpdateMessage
        : InteractionResponseType.ChannelMessageWithSource;
    const result = await interactions
      .callback(interaction, { type, data: call.body }, now() + 1000)
      .catch(() => "perhaps" as const);
    if (result === "acknowledged") {
      return true;
    }
  }
  return interactions.editOriginal(interaction, edited(call.body), now() + answerForMs);
}

/** Creates a message; a repeated attempt finds the first one by its nonce. */
export async function postCall(
  row: OutboxRow,
  { channelId, body }: Extract<OutgoingCall, { kind: "post" }>,
  { bot }: Callers,
): Promise<CallResult> {
  const sent = await bot.post(channelId, body, row.nonce);
  return sent.kind === "done" ? { kind: "done", place: sent.value } : sent;
}

/** Brings a remembered message up to date, with what the ledger says by now. */
export async function editCall(row: OutboxRow, { bot, ledger }: Callers): Promise<CallResult> {
  const { call, message } = row;
  if (call.kind !== "edit" || message === undefined) {
    return { kind: "later", reason: "its message is not posted yet" };
  }
  await ledger.catchUp();
  const body = currentAuctionBody(call.subject, call.body, ledger.view());
  return body === undefined ? { kind: "done" } : bot.edit(message, body);
}
