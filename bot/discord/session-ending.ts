import { DiscordAPIError, GatewayCloseCodes } from "./discord-js.ts";

/** How the bot stands with Discord; the names are those of the report. */
export type SessionState =
  | "Connected"
  | "Connecting"
  | "TokenInvalid"
  | "IntentsRefused"
  | "NotInGuild"
  | "IdentifyBudget"
  | "Unreachable";

export type SessionStatus = { state: SessionState; message: string };

/** Why a session ended for good, and how long to wait before Discord is asked again. */
export type Ending = SessionStatus & {
  retryAfterMs: number;
  reset: boolean;
  /** The session still stands and serves until the next one is up. */
  handsOver?: boolean;
};

/**
 * A token that Discord refused stays refused until somebody changes it, and every try counts against the 10,000 invalid
 * requests in ten minutes that an address has: try at once when the token changes, otherwise every quarter of an hour.
 */
const refusedRetryMs = 15 * 60_000;

const refusedTokenCode: number = GatewayCloseCodes.AuthenticationFailed;
const intentCodes = new Set<number>([GatewayCloseCodes.DisallowedIntents, GatewayCloseCodes.InvalidIntents]);

/** What a close code of the gateway means; only codes after which discord.js gives up get here. */
export function closed(code: number): Ending {
  if (code === refusedTokenCode) {
    return refusedToken();
  }
  if (intentCodes.has(code)) {
    return {
      state: "IntentsRefused",
      message: `Discord refused the intent Guilds (close code ${code}): check the application in the developer portal.`,
      retryAfterMs: refusedRetryMs,
      reset: true,
    };
  }
  return {
    state: "Unreachable",
    message: `Discord closed the session for good (close code ${code}).`,
    retryAfterMs: refusedRetryMs,
    reset: true,
  };
}

function refusedToken(): Ending {
  return {
    state: "TokenInvalid",
    message: "Discord refused the bot token: put a valid one into the Secret (or DISCORD_TOKEN).",
    retryAfterMs: refusedRetryMs,
    reset: true,
  };
}

/** What a failed attempt to open a session means. */
export function verdict(error: unknown, failures: number): Ending {
  const text = error instanceof Error ? error.message : String(error);
  const unauthorised = error instanceof DiscordAPIError && error.status === 401;
  if (unauthorised || text === "Authentication failed" || /invalid token/i.test(text)) {
    return refusedToken();
  }
  if (text === "Used disallowed intents" || text === "Used invalid intents") {
    return closed(GatewayCloseCodes.DisallowedIntents);
  }
  return {
    state: "Unreachable",
    message: `Discord could not be reached: ${text}`,
    retryAfterMs: Math.min(60_000, 1000 * 2 ** failures),
    reset: false,
  };
}

/** A token that is not there (yet), such as a Secret that is still being mounted. */
export function unreadable(error: unknown): Ending {
  const code = error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
  return {
    state: "TokenInvalid",
    message: `The bot token could not be read${code}: check the Secret and DISCORD_TOKEN_FILE.`,
    retryAfterMs: 5000,
    reset: true,
  };
}
