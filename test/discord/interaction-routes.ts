import type { Callback, Payload } from "./interactions.ts";
import type { MessageBody } from "./messages.ts";
import { bucket, nothing, ok, type Call, type Route, type RouteContext } from "./route.ts";
import type { SchemaName } from "./schema.ts";
import type { MessageRecord } from "./world.ts";

const callbackSchemas: Record<number, SchemaName> = {
  1: "PongInteractionCallbackRequest",
  4: "CreateMessageInteractionCallbackRequest",
  5: "CreateMessageInteractionCallbackRequest",
  6: "UpdateMessageInteractionCallbackRequest",
  7: "UpdateMessageInteractionCallbackRequest",
  8: "ApplicationCommandAutocompleteCallbackRequest",
  9: "ModalInteractionCallbackRequest",
};

/** First answers to interactions. */
export function callbackRoutes({ interactions, baseUrl }: RouteContext): Route[] {
  return [
    {
      method: "POST",
      path: "/interactions/:interaction/:token/callback",
      authenticated: false,
      bucket: null,
      request: (body) => {
        const type = (body as { type?: unknown } | null)?.type;
        return callbackSchemas[Number(type)] ?? "CreateMessageInteractionCallbackRequest";
      },
      response: "InteractionCallbackResponse",
      handle(call) {
        const { interaction = "", token = "" } = call.parameters;
        const payload = { uploads: call.uploads, baseUrl: baseUrl() };
        const entry = interactions.callback(interaction, token, call.body as Callback, payload);
        if (call.query.get("with_response") !== "true") return nothing;
        const { record, original, type } = entry;
        const message = original === null ? {} : messageFacts(original);
        const shown = record.callback === 4 || record.callback === 7 ? original : null;
        return ok({
          interaction: {
            id: record.id,
            type,
            channel_id: record.channelId,
            guild_id: record.guildId,
            ...message,
          },
          ...(shown === null ? {} : { resource: { type: record.callback, message: shown.api } }),
        });
      },
    },
  ];
}

function messageFacts({ api, loading, onlyFor }: MessageRecord) {
  return {
    response_message_id: api.id,
    response_message_loading: loading,
    response_message_ephemeral: onlyFor !== null,
  };
}

function messageId({ parameters }: Call): string {
  return parameters["message"] ?? "";
}

/** What follows the first answer. */
export function webhookRoutes({ interactions, baseUrl }: RouteContext): Route[] {
  const path = "/webhooks/:webhook/:token";
  const base = {
    authenticated: false,
    response: "MessageResponse",
    bucket: bucket("interaction webhook", 5, 2_000, "webhook", "token"),
  };
  const entryOf = ({ parameters }: Call) =>
    interactions.byToken(parameters["webhook"] ?? "", parameters["token"] ?? "");
  const payload = ({ body, uploads }: Call): Payload => ({
    body: body as MessageBody,
    uploads,
    baseUrl: baseUrl(),
  });
  return [
    {
      ...base,
      method: "POST",
      path,
      request: "IncomingWebhookRequestPartial",
      // An interaction's follow-up answers with its message whether asked to wait or not.
      handle: (call) => ok(interactions.followup(entryOf(call), payload(call)).api),
    },
    {
      ...base,
      method: "GET",
      path: `${path}/messages/:message`,
      handle: (call) => ok(interactions.message(entryOf(call), messageId(call)).api),
    },
    {
      ...base,
      method: "PATCH",
      path: `${path}/messages/:message`,
      request: "IncomingWebhookUpdateRequestPartial",
      handle: (call) => ok(interactions.edit(entryOf(call), messageId(call), payload(call)).api),
    },
    {
      method: "DELETE",
      path: `${path}/messages/:message`,
      authenticated: false,
      bucket: base.bucket,
      handle(call) {
        interactions.remove(entryOf(call), messageId(call));
        return nothing;
      },
    },
  ];
}
