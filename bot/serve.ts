import type { APIInteraction } from "discord.js";
import type { Logger } from "../runtime/log.ts";
import type { Telemetry } from "../runtime/telemetry.ts";
import type { BotSettings } from "./config.ts";
import { botApi, type BotApi } from "./discord/bot-api.ts";
import type { Surroundings } from "./discord/command.ts";
import { delivery, type Delivery } from "./discord/delivery.ts";
import { handler } from "./discord/handle.ts";
import { discordHttp } from "./discord/http.ts";
import { identifyGate } from "./discord/identify.ts";
import { intake, type Intake } from "./discord/intake.ts";
import { interactionApi } from "./discord/interaction-api.ts";
import type { BotMetrics } from "./discord/metrics.ts";
import { modeSubject } from "./discord/mode-announcement.ts";
import { discordSession, type DiscordSession } from "./discord/session.ts";
import type { SessionStatus } from "./discord/session-ending.ts";
import { tokenSource } from "./discord/token.ts";
import type { Facts } from "./facts.ts";
import type { ConfigFeed } from "./jobs/config-feed.ts";
import { periodically } from "./jobs/periodic.ts";
import { configuredRestore } from "./restore.ts";
import { WrongLedger } from "./store/failure.ts";
import { withIdentifyTurn } from "./store/identify-turn.ts";
import { accountOf } from "./store/queries.ts";
import type { Reader } from "./store/reader.ts";
import type { Store } from "./store-opening.ts";

export type ServeOptions = Store & {
  reader: Reader;
  settings: BotSettings;
  version: string;
  facts: Facts;
  config: ConfigFeed;
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
  const { settings, database, presence, ledger, metrics, log } = options;
  const http = discordHttp({
    apiUrl: settings.discord.apiUrl,
    userAgent: `DiscordBot (dkp-operator, ${options.version})`,
  });
  const interactions = interactionApi(http);
  const bot = botApi(() => session.rest());
  const surroundings = surroundingsOf(options, bot);
  const replica = () => presence.id;
  const onEnded = (subject: string, fault: string | undefined) =>
    subject === modeSubject ? options.facts.setAnnouncement(fault) : undefined;
  const sent = delivery({ database, replica, ledger, interactions, bot, onEnded, metrics, log, now });
  const handle = handler({ surroundings, delivery: sent, metrics, telemetry: options.telemetry, log });
  const taken = intake({ surroundings, replica, interactions, handle, metrics, log });
  const session = sessionOf(options, (payload) => taken.receive(payload));
  const sweeping = new AbortController();
  const swept = sweep(options, taken, sent, sweeping.signal);
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

function surroundingsOf(
  { settings, database, reader, ledger, config }: ServeOptions,
  bot: BotApi,
): Surroundings {
  const { guildId } = settings.discord;
  return {
    ledger,
    database,
    guildId,
    restore: () => configuredRestore(config.latest()),
    read: (query) => reader.read(ledger.state().version, query),
    now,
    async account(discordId) {
      const known = await accountOf(database, discordId);
      if (known !== undefined) {
        return known;
      }
      const member = await bot.member(guildId, discordId);
      return member === undefined || member.isBot ? undefined : { discordId, name: member.displayName };
    },
  };
}

function sessionOf(
  { settings, database, facts, metrics, log }: ServeOptions,
  onInteraction: (payload: APIInteraction) => void,
): DiscordSession {
  const onStatus = (status: SessionStatus) => {
    facts.setDiscord(status);
    metrics.session(status.state);
  };
  const identify = identifyGate({
    turn: (signal, run) => withIdentifyTurn(database, identifySpacingMs, signal, run),
    reserve: identifyReserve,
    spacingMs: identifySpacingMs,
    onBudget(remaining, resetAtMs) {
      const resetAt = new Date(resetAtMs).toISOString();
      const message = `Discord allows ${remaining} more session starts today: waiting until ${resetAt} rather than having the token reset.`;
      log.warn({ state: "IdentifyBudget" }, message);
      onStatus({ state: "IdentifyBudget", message });
    },
    onTrouble: (error) => log.warn({ err: error }, "waiting to identify with Discord"),
    now,
  });
  const { guildId, apiUrl, token } = settings.discord;
  return discordSession({
    guildId,
    apiUrl,
    token: tokenSource(token),
    identify,
    onInteraction,
    onStatus,
    log,
  });
}

/** Looks for what replicas left behind that are gone, and notices by the way whether the database answers. */
function sweep({ facts }: ServeOptions, taken: Intake, sent: Delivery, signal: AbortSignal): Promise<void> {
  return periodically({
    periodMs: sweepPeriodMs,
    signal,
    async work() {
      await taken.takeOver();
      await sent.sweep();
      facts.setDatabase({ state: "Ok", message: "" });
    },
    onFailure(error) {
      const why = error instanceof Error ? error.message : String(error);
      const wrong = error instanceof WrongLedger;
      facts.setDatabase({
        state: wrong ? "WrongLedger" : "Unreachable",
        message: (wrong ? why : `The database does not answer: ${why}`).slice(0, 500),
      });
    },
  });
}
