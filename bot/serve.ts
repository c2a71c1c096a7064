import type { Logger } from "../runtime/log.ts";
import type { Telemetry } from "../runtime/telemetry.ts";
import type { BotSettings } from "./config.ts";
import { botApi } from "./discord/bot-api.ts";
import type { Surroundings } from "./discord/command.ts";
import { delivery, type Delivery } from "./discord/delivery.ts";
import { handler } from "./discord/handle.ts";
import { discordHttp } from "./discord/http.ts";
import { identifyGate } from "./discord/identify.ts";
import { intake } from "./discord/intake.ts";
import { interactionApi } from "./discord/interaction-api.ts";
import type { BotMetrics } from "./discord/metrics.ts";
import { discordSession, type DiscordSession } from "./discord/session.ts";
import { tokenSource } from "./discord/token.ts";
import type { Facts } from "./facts.ts";
import { periodically } from "./jobs/periodic.ts";
import { withIdentifyTurn } from "./store/identify-turn.ts";
import { accountOf } from "./store/queries.ts";
import type { Store } from "./store-opening.ts";

export type ServeOptions = Store & {
  settings: BotSettings;
  version: string;
  facts: Facts;
  metrics: BotMetrics;
  telemetry: Telemetry;
  log: Logger;
};

const { now } = Date;

export type Serving = {
  session: DiscordSession;
  delivery: Delivery;
  /** Takes nothing more and finishes what was taken. */
  intakeStop(): Promise<void>;
  stop(): Promise<void>;
};

/** Discord allows one IDENTIFY in five seconds, and a token that used up its thousand of a day is reset. */
const identifySpacingMs = 5000;
const identifyReserve = 50;
/** How soon what a dead replica left behind is looked for: the member waits three seconds at most for a first answer. */
const sweepPeriodMs = 500;

/** Connects Discord and the ledger: interactions in, answers out. */
export function serveCommands(options: ServeOptions): Serving {
  const { settings, database, presence, ledger, facts, metrics, log } = options;
  const { guildId, apiUrl } = settings.discord;
  const http = discordHttp({ apiUrl, userAgent: `DiscordBot (dkp-operator, ${options.version})` });
  const interactions = interactionApi(http);
  const bot = botApi(() => session.rest());
  const surroundings: Surroundings = {
    ledger,
    database,
    guildId,
    now,
    async account(discordId) {
      const known = await accountOf(database, discordId);
      const found = known ?? (await bot.member(guildId, discordId));
      if (found === undefined || ("isBot" in found && found.isBot)) {
        return undefined;
      }
      return "displayName" in found ? { discordId, name: found.displayName } : found;
    },
  };
  const sent = delivery({
    database,
    replica: () => presence.id,
    ledger,
    interactions,
    bot,
    metrics,
    log,
    now,
  });
  const handle = handler({ surroundings, delivery: sent, metrics, telemetry: options.telemetry, log });
  const taken = intake({
    surroundings,
    replica: () => presence.id,
    interactions,
    handle,
    metrics,
    log,
  });
  const session = discordSession({
    guildId,
    apiUrl,
    token: tokenSource(settings.discord.token),
    identify: identifyGate({
      turn: (signal, identify) => withIdentifyTurn(database, identifySpacingMs, signal, identify),
      reserve: identifyReserve,
      spacingMs: identifySpacingMs,
      onBudget: (remaining, resetAtMs) =>
        report({
          state: "IdentifyBudget",
          message: `Discord allows ${remaining} more session starts; waiting until ${new Date(resetAtMs).toISOString()} rather than having the token reset.`,
        }),
      onTrouble: (error) => log.warn({ err: error }, "waiting to identify with Discord"),
      now,
    }),
    onInteraction: (payload) => taken.receive(payload),
    onStatus: report,
    log,
  });

  function report(status: Parameters<Facts["setDiscord"]>[0]): void {
    facts.setDiscord(status);
    metrics.session(status.state);
  }

  const sweeping = new AbortController();
  const swept = periodically({
    periodMs: sweepPeriodMs,
    signal: sweeping.signal,
    async work() {
      await taken.takeOver();
      await sent.sweep();
      facts.setDatabase({ state: "Ok", message: "" });
    },
    onFailure: (error) =>
      facts.setDatabase({
        state: "Unreachable",
        message:
          `The database does not answer: ${error instanceof Error ? error.message : String(error)}`.slice(
            0,
            500,
          ),
      }),
  });

  return {
    session,
    delivery: sent,
    async intakeStop() {
      await taken.stop();
      sweeping.abort();
      await swept;
      await sent.stop();
    },
    async stop() {
      await session.stop();
      http.close();
    },
  };
}
