import type { Json } from "../ledger/event.ts";

type Body = { readonly [key: string]: Json };

/**
 * One Discord call that a decision owes, committed with it and sent by whoever may.
 *   - `reply` edits the interaction's original (deferred) response, `followup` adds a message to it: both end with the
 *     interaction's token, 15 minutes after it was received.
 *   - `post` creates a message (sent with `enforce_nonce`); with a `subject` the message is remembered under it.
 *   - `edit` changes the message remembered under its subject; an older edit of a subject that has not left yet is
 *     dropped in favour of the newer.
 */
export type OutgoingCall =
  | {
      readonly kind: "reply" | "followup";
      readonly applicationId: string;
      readonly interactionId: string;
      readonly token: string;
      readonly expiresAtMs: number;
      readonly body: Body;
    }
  | { readonly kind: "post"; readonly channelId: string; readonly body: Body; readonly subject?: string }
  | { readonly kind: "edit"; readonly subject: string; readonly body: Body };

export type OutboxRow = {
  readonly id: number;
  readonly call: OutgoingCall;
  /** At most 25 characters, the same at every attempt. */
  readonly nonce: string;
  /** Attempts before this one. */
  readonly attempts: number;
  /** For an `edit` whose post was delivered: where its message is. */
  readonly message?: { readonly channelId: string; readonly messageId: string };
};
