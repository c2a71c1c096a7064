import type { REST } from "discord.js";
import { DiscordAPIError, Routes } from "./discord-js.ts";
import type { OutgoingBody } from "./outgoing.ts";

/** Where a message of ours is. */
export type MessagePlace = { channelId: string; messageId: string };

/** What became of a call with the bot's token: done, not possible for good, or to be tried again. */
type Sent<Value> =
  | { kind: "done"; value: Value }
  | { kind: "refused"; reason: string }
  | { kind: "later"; reason: string };

/** Unknown member, unknown user. */
const strangers = new Set<number | string>([10_007, 10_013]);

/** Calls that need the bot's token; discord.js keeps them within Discord's rate limits. */
export type BotApi = {
  /** Creates a message once: a second attempt with the same nonce within minutes answers with the first message. */
  post(channelId: string, body: OutgoingBody, nonce: string): Promise<Sent<MessagePlace>>;
  edit(place: MessagePlace, body: OutgoingBody): Promise<Sent<undefined>>;
  /** The member's name in the guild; undefined for somebody who is not a member. Throws when Discord cannot say. */
  member(guildId: string, userId: string): Promise<{ displayName: string; isBot: boolean } | undefined>;
};

/** `rest` answers undefined while there is no usable token: then everything is to be tried later. */
export function botApi(rest: () => REST | undefined): BotApi {
  async function attempt<Value>(call: (client: REST) => Promise<Value>): Promise<Sent<Value>> {
    const client = rest();
    if (client === undefined) {
      return { kind: "later", reason: "there is no usable bot token" };
    }
    try {
      return { kind: "done", value: await call(client) };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const final = error instanceof DiscordAPIError && error.status < 500 && error.status !== 401;
      return final
        ? { kind: "refused", reason: `${reason} (code ${error.code})` }
        : { kind: "later", reason };
    }
  }

  return {
    post: (channelId, body, nonce) =>
      attempt(async (client) => {
        const message = (await client.post(Routes.channelMessages(channelId), {
          body: { ...body, nonce, enforce_nonce: true },
        })) as { id: string; channel_id: string };
        return { channelId: message.channel_id, messageId: message.id };
      }),
    edit: ({ channelId, messageId }, body) =>
      attempt(async (client) => {
        await client.patch(Routes.channelMessage(channelId, messageId), { body });
        return undefined;
      }),
    async member(guildId, userId) {
      const client = rest();
      if (client === undefined) {
        throw new Error("Discord cannot be asked for a member: there is no usable bot token");
      }
      try {
        const found = (await client.get(Routes.guildMember(guildId, userId))) as {
          nick?: string | null;
          user: { username: string; global_name?: string | null; bot?: boolean };
        };
        return {
          displayName: found.nick ?? found.user.global_name ?? found.user.username,
          isBot: found.user.bot === true,
        };
      } catch (error) {
        if (error instanceof DiscordAPIError && strangers.has(error.code)) {
          return undefined;
        }
        throw new Error("Discord could not be asked for a member", { cause: error });
      }
    },
  };
}
