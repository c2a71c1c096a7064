import { setTimeout as sleep } from "node:timers/promises";
import type { InteractionResponseType } from "discord.js";
import { errorCode, route, type DiscordHttp, type DiscordResponse } from "./http.ts";
import type { OutgoingBody } from "./outgoing.ts";

/** What an answer needs of an interaction. */
export type InteractionRef = { id: string; token: string; applicationId: string };

/** The first answer to an interaction: Discord wants one within 3 s and takes exactly one. */
type Callback = { type: InteractionResponseType; data?: unknown };

/**
 * What became of an answer. `perhaps`: Discord says that the interaction is acknowledged already (by a replica, or by
 * this request's lost first attempt) or unknown (too late, or the same race): only editing the original answer tells.
 */
export type CallbackResult = "acknowledged" | "perhaps";

export type InteractionApi = {
  /** Throws when Discord could not be reached or refused for another reason. Tries again until `deadlineMs` (epoch). */
  callback(interaction: InteractionRef, callback: Callback, deadlineMs: number): Promise<CallbackResult>;
  /** False when there is nothing (any more) to edit: never acknowledged, deleted, or 15 minutes over. */
  editOriginal(interaction: InteractionRef, body: OutgoingBody, deadlineMs: number): Promise<boolean>;
  /** A further message after the answer; false when the interaction is over. */
  followup(interaction: InteractionRef, body: OutgoingBody, deadlineMs: number): Promise<boolean>;
  /** Whether the interaction was acknowledged by anybody and can still be edited. */
  answered(interaction: InteractionRef, deadlineMs: number): Promise<boolean>;
};

/** Discord refused a request of ours for good; trying again would not help. */
export class DiscordRefusal extends Error {
  readonly status: number;
  readonly code: number;

  constructor(method: string, path: string, { status, body }: DiscordResponse) {
    const code = errorCode(body);
    const said =
      typeof body === "object" && body !== null && "message" in body ? `: ${String(body.message)}` : "";
    super(`Discord refused ${method} ${route(path)} with ${status} (code ${code})${said}`);
    this.name = "DiscordRefusal";
    this.status = status;
    this.code = code;
  }
}

/** Interaction has already been acknowledged. */
const alreadyAcknowledged = 40_060;
/** Unknown interaction; unknown webhook; unknown message; invalid webhook token. */
const gone = new Set([10_062, 10_015, 10_008, 50_027]);

/** The endpoints of one interaction; none needs the bot's token. */
export function interactionApi(http: DiscordHttp): InteractionApi {
  async function patient(
    method: "GET" | "POST" | "PATCH",
    path: string,
    body: unknown,
    deadlineMs: number,
  ): Promise<DiscordResponse> {
    for (let attempt = 0; ; attempt += 1) {
      const leftMs = Math.max(250, deadlineMs - Date.now());
      const answer = await http
        .send(method, path, body, Math.min(leftMs, 10_000))
        .catch((cause: unknown) => ({ status: 0, body: undefined, retryAfterMs: 0, cause }));
      const passing = answer.status === 0 || answer.status === 429 || answer.status >= 500;
      const pauseMs = Math.max(answer.retryAfterMs, Math.min(2000, 50 * 2 ** attempt));
      if (!passing) {
        return answer;
      }
      if (Date.now() + pauseMs >= deadlineMs) {
        const why = answer.status === 0 ? "not at all" : `with ${answer.status}`;
        throw new Error(`Discord answered ${method} ${route(path)} ${why} until it was too late`, {
          cause: "cause" in answer ? answer.cause : undefined,
        });
      }
      await sleep(pauseMs);
    }
  }

  async function onOriginal(
    method: "GET" | "POST" | "PATCH",
    path: string,
    body: unknown,
    deadlineMs: number,
  ): Promise<boolean> {
    const answer = await patient(method, path, body, deadlineMs);
    if (answer.status < 300) {
      return true;
    }
    if (answer.status === 404 || gone.has(errorCode(answer.body))) {
      return false;
    }
    throw new DiscordRefusal(method, path, answer);
  }

  return {
    async callback(interaction, callback, deadlineMs) {
      const path = `/interactions/${interaction.id}/${interaction.token}/callback`;
      const answer = await patient("POST", path, callback, deadlineMs);
      if (answer.status < 300) {
        return "acknowledged";
      }
      const code = errorCode(answer.body);
      if (code === alreadyAcknowledged || gone.has(code)) {
        return "perhaps";
      }
      throw new DiscordRefusal("POST", path, answer);
    },
    editOriginal: (interaction, body, deadlineMs) =>
      onOriginal("PATCH", `${webhook(interaction)}/messages/@original`, body, deadlineMs),
    followup: (interaction, body, deadlineMs) => onOriginal("POST", webhook(interaction), body, deadlineMs),
    answered: (interaction, deadlineMs) =>
      onOriginal("GET", `${webhook(interaction)}/messages/@original`, undefined, deadlineMs),
  };
}

function webhook({ applicationId, token }: InteractionRef): string {
  return `/webhooks/${applicationId}/${token}`;
}
