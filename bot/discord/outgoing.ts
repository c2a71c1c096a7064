import type { OutgoingCall } from "../store/call.ts";
import type { Invocation } from "./interaction.ts";
import { visibilityFlags, type MessageBody } from "./message.ts";

/** A message as the outbox keeps it. */
export type OutgoingBody = OutgoingCall["body"];

/** Discord takes an interaction's token for so long. */
export const tokenLifeMs = 15 * 60_000;

/**
 * The answer to an interaction as the outbox keeps it. A slash command's answer carries its visibility (`flags`), for
 * whoever delivers it may have to make it the first answer; a button's carries none, for it edits a message.
 */
export function replyCall(
  invocation: Pick<Invocation, "applicationId" | "id" | "token" | "createdAtMs">,
  body: MessageBody,
  ephemeral: boolean | undefined,
): OutgoingCall {
  return {
    kind: "reply",
    applicationId: invocation.applicationId,
    interactionId: invocation.id,
    token: invocation.token,
    expiresAtMs: invocation.createdAtMs + tokenLifeMs,
    body: ephemeral === undefined ? body : { ...body, flags: visibilityFlags(ephemeral) },
  };
}

/** A body for an edit, where visibility cannot be said any more. */
export function edited(body: OutgoingBody): OutgoingBody {
  const { flags: _flags, ...rest } = body;
  return rest;
}
