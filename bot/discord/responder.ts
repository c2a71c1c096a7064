import { InteractionResponseType } from "./discord-js.ts";
import type { CallbackResult, InteractionApi, InteractionRef } from "./interaction-api.ts";
import { edited, type OutgoingBody } from "./outgoing.ts";

/** How long a first answer is tried; Discord gives up on an interaction three seconds after it made it. */
const acknowledgeForMs = 2500;
/** How long an edit is tried before the outbox takes over. */
const editForMs = 8000;

/** Answers one interaction, once, whatever was or was not acknowledged before. */
export type Responder = {
  /** Announces that an answer will come. Idempotent; never throws. */
  defer(): Promise<void>;
  /**
   * Makes sure that somebody will see an answer: acknowledges, and where Discord says that it was acknowledged before (or
   * does not know it) asks whether the answer can still be edited. False: the member sees a failure already.
   */
  confirm(): Promise<boolean>;
  /** Shows the answer: as the first one, or by editing what was announced. False when nobody can see it any more. */
  answer(body: OutgoingBody): Promise<boolean>;
};

/**
 * `component` answers edit the message that the button belongs to; others make a message that is ephemeral or not.
 * An interaction that `mayBeAcknowledged` (another replica had it) is never taken for unanswered.
 */
export function responder(
  api: InteractionApi,
  interaction: InteractionRef,
  how: { component: boolean; flags: number; now(): number },
): Responder {
  let acknowledgement: Promise<CallbackResult> | undefined;

  function acknowledge(type: InteractionResponseType, data: unknown): Promise<CallbackResult> {
    const callback = data === undefined ? { type } : { type, data };
    acknowledgement = api.callback(interaction, callback, how.now() + acknowledgeForMs);
    return acknowledgement;
  }

  function announced(): Promise<CallbackResult> {
    return (
      acknowledgement ??
      (how.component
        ? acknowledge(InteractionResponseType.DeferredMessageUpdate, undefined)
        : acknowledge(InteractionResponseType.DeferredChannelMessageWithSource, { flags: how.flags }))
    );
  }

  return {
    async defer() {
      await announced().catch(() => undefined);
    },
    async confirm() {
      const result = await announced().catch(() => "perhaps" as const);
      return result === "acknowledged" || api.answered(interaction, how.now() + editForMs);
    },
    async answer(body) {
      if (acknowledgement === undefined) {
        const result = await acknowledge(
          how.component
            ? InteractionResponseType.UpdateMessage
            : InteractionResponseType.ChannelMessageWithSource,
          how.component ? edited(body) : { ...body, flags: how.flags },
        ).catch(() => "perhaps" as const);
        if (result === "acknowledged") {
          return true;
        }
      } else {
        await acknowledgement.catch(() => undefined);
      }
      return api.editOriginal(interaction, edited(body), how.now() + editForMs);
    },
  };
}
