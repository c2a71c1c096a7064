import { GatewayDispatchEvents, MessageFlags } from "discord-api-types/v10";
import { componentFaults } from "./components.ts";
import type { Component, InteractionRecord, Snowflake } from "./driver.ts";
import {
  interactionType,
  metadata,
  newEntry,
  wire,
  type InteractionEntry,
  type Origin,
} from "./interaction-entry.ts";
import { compose, edited, publish, removeMessage, type MessageBody, type Upload } from "./messages.ts";
import { blankMessage, driverMessage, newMessage } from "./objects.ts";
import { invalidForm, refuse, unknown } from "./refusal.ts";
import { tree } from "./schema.ts";
import type { MessageRecord, World } from "./world.ts";

/** Milliseconds for the first answer, and for everything that follows it. */
const answerWithinMs = 3_000;
const tokenLifeMs = 15 * 60_000;
const didNotRespond = "The application did not respond";

/** The callback body, after it passed its schema. */
export type Callback = { type: number; data?: (MessageBody & Record<string, unknown>) | null };
export type Payload = { body: MessageBody; uploads: Upload[]; baseUrl: string };

export type Interactions = {
  start(origin: Origin): InteractionEntry;
  find(id: Snowflake): InteractionEntry | undefined;
  /** Takes the first answer; refuses it when it is late, a second one, or of a type that does not fit. */
  callback(
    id: Snowflake,
    token: string,
    callback: Callback,
    payload: Omit<Payload, "body">,
  ): InteractionEntry;
  /** The interaction of a token that is still good for follow-ups. */
  byToken(applicationId: Snowflake, token: string): InteractionEntry;
  followup(entry: InteractionEntry, payload: Payload): MessageRecord;
  message(entry: InteractionEntry, messageId: string): MessageRecord;
  edit(entry: InteractionEntry, messageId: string, payload: Payload): MessageRecord;
  remove(entry: InteractionEntry, messageId: string): void;
  snapshot(entry: InteractionEntry): InteractionRecord;
};

function changed(entry: InteractionEntry): void {
  entry.record.revision += 1;
  for (const watcher of entry.watchers) watcher();
}

function fail(entry: InteractionEntry): void {
  entry.record.state = "failed";
  entry.record.failure = didNotRespond;
  changed(entry);
}

/** Interactions from the moment they are sent until their token dies. */
export function interactions(world: World): Interactions {
  const { clock } = world;
  const byId = new Map<Snowflake, InteractionEntry>();
  const tokens = new Map<string, InteractionEntry>();

  const sweep = () => {
    const oldMs = clock.nowMs() - tokenLifeMs * 2;
    for (const [id, entry] of byId) {
      if (entry.record.sentAtMs > oldMs) break;
      byId.delete(id);
      tokens.delete(entry.token);
    }
  };

  const answered = (entry: InteractionEntry) => {
    entry.cancelTimer();
    if (entry.record.state === "answered") return;
    entry.record.state = "answered";
    entry.record.answeredAtMs = clock.nowMs();
    entry.record.answeredAfterMs = performance.now() - entry.startedAt;
  };

  const answerMessage = (entry: InteractionEntry, ephemeral: boolean, kind: 19 | 20): MessageRecord => {
    const { record } = entry;
    const api = {
      ...blankMessage(world, record.channelId, record.applicationId),
      type: kind,
      application_id: record.applicationId,
      webhook_id: record.applicationId,
      ...metadata(world, entry),
      flags: ephemeral ? MessageFlags.Ephemeral : 0,
    };
    return newMessage(api, {
      onlyFor: ephemeral ? record.userId : null,
      applicationId: record.applicationId,
    });
  };

  const respond = (entry: InteractionEntry, { type, data }: Callback, payload: Omit<Payload, "body">) => {
    const body = data ?? {};
    const ephemeral = ((body.flags ?? 0) & MessageFlags.Ephemeral) !== 0;
    if (type === 4) {
      const message = answerMessage(entry, ephemeral, 20);
      compose(world, message, body, { edit: false, at: ["data"], ...payload });
      Object.assign(entry, { original: message, ephemeral });
      return () => {
        publish(world, message);
        answered(entry);
      };
    }
    if (type === 5) {
      const message = answerMessage(entry, ephemeral, 20);
      message.loading = true;
      message.api.flags = message.api.flags | MessageFlags.Loading;
      Object.assign(entry, { original: message, ephemeral });
      return () => publish(world, message);
    }
    if (type === 7 && entry.source !== null) {
      const { source } = entry;
      compose(world, source, body, { edit: true, at: ["data"], ...payload });
      return () => {
        edited(world, source);
        answered(entry);
      };
    }
    if (type === 8) {
      const choices = choicesFor(entry, body);
      return () => {
        entry.record.choices = choices;
        answered(entry);
      };
    }
    if (type === 9) {
      modalFaults(body.components ?? []);
      return () => {
        entry.record.modal = { ...(body as unknown as Modal), interactionId: entry.record.id };
        answered(entry);
      };
    }
    return () => undefined;
  };

  return {
    start(origin) {
      const entry = newEntry(world, origin);
      const { record } = entry;
      if (byId.size % 1_000 === 999) sweep();
      byId.set(record.id, entry);
      tokens.set(entry.token, entry);
      entry.cancelTimer = clock.after(answerWithinMs, () => {
        if (record.callback === null) fail(entry);
      });
      const target = { guildId: origin.guild.id, intent: 0, applicationId: origin.applicationId };
      world.dispatch(target, GatewayDispatchEvents.InteractionCreate, wire(world, entry, origin));
      return entry;
    },
    find: (id) => byId.get(id),
    callback(id, token, callback, payload) {
      const entry = byId.get(id);
      if (entry === undefined || entry.token !== token) return unknown.interaction();
      const { record } = entry;
      if (record.callback !== null) {
        record.refusedCallbacks.push(40060);
        return refuse(400, 40060, "Interaction has already been acknowledged.");
      }
      if (clock.nowMs() - record.sentAtMs > answerWithinMs || record.state === "failed") {
        record.refusedCallbacks.push(10062);
        return unknown.interaction();
      }
      fits(entry, callback.type);
      const take = respond(entry, callback, payload);
      record.callback = callback.type;
      record.acknowledgedAtMs = clock.nowMs();
      record.acknowledgedAfterMs = performance.now() - entry.startedAt;
      record.state = "deferred";
      entry.cancelTimer();
      take();
      if (callback.type === 6) entry.original = entry.source;
      if (callback.type === 7) entry.original = entry.source;
      if (callback.type === 5) {
        entry.cancelTimer = clock.after(tokenLifeMs, () => fail(entry));
      }
      changed(entry);
      return entry;
    },
    byToken(applicationId, token) {
      const entry = tokens.get(token);
      if (entry === undefined || entry.record.applicationId !== applicationId) return unknown.webhook();
      if (clock.nowMs() - entry.record.sentAtMs > tokenLifeMs) {
        return refuse(401, 50027, "Invalid Webhook Token");
      }
      if (entry.record.callback === null) return unknown.webhook();
      return entry;
    },
    followup(entry, { body, ...payload }) {
      const { original } = entry;
      if (original?.loading === true) {
        // The first follow-up to "thinking…" takes its place, and its visibility with it.
        return finish(world, entry, original, { body, ...payload }, () => answered(entry));
      }
      const ephemeral = ((body.flags ?? 0) & MessageFlags.Ephemeral) !== 0;
      const message = answerMessage(entry, ephemeral, 19);
      compose(world, message, body, { edit: false, ...payload });
      entry.followups.push(message);
      publish(world, message);
      if (entry.record.callback === 6) answered(entry);
      changed(entry);
      return message;
    },
    message: (entry, messageId) => messageOf(world, entry, messageId),
    edit(entry, messageId, { body, ...payload }) {
      const message = messageOf(world, entry, messageId);
      return finish(world, entry, message, { body, ...payload }, () => answered(entry));
    },
    remove(entry, messageId) {
      const message = messageOf(world, entry, messageId);
      removeMessage(world, message);
      if (message === entry.original) {
        entry.original = null;
        entry.cancelTimer();
      }
      entry.followups = entry.followups.filter((found) => found !== message);
      changed(entry);
    },
    snapshot: ({ record, original, followups }) => ({
      ...record,
      refusedCallbacks: [...record.refusedCallbacks],
      original: original === null ? null : driverMessage(original),
      followups: followups.map(driverMessage),
    }),
  };
}

type Modal = Omit<NonNullable<InteractionRecord["modal"]>, "interactionId">;

/** Edits a message of an interaction; what was "thinking…" becomes the answer. */
function finish(
  world: World,
  entry: InteractionEntry,
  message: MessageRecord,
  { body, ...payload }: Payload,
  answered: () => void,
): MessageRecord {
  const { loading } = message;
  compose(world, message, body, { edit: true, ...payload });
  if (loading) {
    message.loading = false;
    message.api.flags = message.api.flags & ~MessageFlags.Loading;
  }
  edited(world, message);
  if (message === entry.original) answered();
  changed(entry);
  return message;
}

function messageOf(world: World, entry: InteractionEntry, messageId: string): MessageRecord {
  const found =
    messageId === "@original"
      ? entry.original
      : [entry.original, ...entry.followups].find((message) => message?.api.id === messageId);
  if (found === undefined || found === null || !world.messages.has(found.api.id)) return unknown.message();
  return found;
}

/** Refuses a callback type that does not go with the kind of interaction. */
function fits(entry: InteractionEntry, type: number): void {
  const allowedTypes = {
    [interactionType.command]: [4, 5, 9],
    [interactionType.component]: [4, 5, 6, 7, 9],
    [interactionType.autocomplete]: [8],
    [interactionType.modal]: entry.source === null ? [4, 5] : [4, 5, 6, 7],
  }[entry.type];
  if (allowedTypes.includes(type)) return;
  const message = `Value must be one of {${allowedTypes.join(", ")}}.`;
  invalidForm(tree([{ path: ["type"], code: "BASE_TYPE_CHOICES", message }]));
}

function choicesFor(entry: InteractionEntry, body: Record<string, unknown>) {
  const choices = (body["choices"] ?? []) as NonNullable<InteractionRecord["choices"]>;
  const wanted = entry.focusedType === 3 ? "string" : "number";
  choices.forEach(({ value }, index) => {
    if (typeof value === wanted) return;
    const path = ["data", "choices", String(index), "value"];
    const message = `Value is not of type ${wanted}.`;
    invalidForm(tree([{ path, code: "APPLICATION_COMMAND_OPTIONS_CHOICE_VALUE_INVALID", message }]));
  });
  return choices;
}

function modalFaults(components: Component[]): void {
  const faults = componentFaults(components, true).map((fault) => ({
    ...fault,
    path: ["data", ...fault.path],
  }));
  if (components.length > 5) {
    const message = "Must be between 1 and 5 in length.";
    faults.push({ path: ["data", "components"], code: "BASE_TYPE_BAD_LENGTH", message });
  }
  if (faults.length > 0) invalidForm(tree(faults));
}
