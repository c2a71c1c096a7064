import { setTimeout as sleep } from "node:timers/promises";
import type { REST } from "discord.js";
import { DiscordAPIError } from "../discord/discord-js.ts";
import type { Logger } from "../../runtime/log.ts";
import { pendingRegistration, registerCommands, type Registration } from "../discord/registration.ts";

/** How often a leader looks whether its commands are still those that Discord lists. */
const refreshPeriodMs = 600_000;

/**
 * Keeps the guild's commands registered until `signal`: once there is a session, and again when another one begins,
 * after a failure, and from time to time, for the setup of a version that then failed may have registered its own.
 * `session` is a number that grows with each session, 0 before the first.
 */
export async function keepRegistered(options: {
  guildId: string;
  rest(): REST | undefined;
  applicationId(): string | undefined;
  session(): number;
  onRegistration(registration: Registration): void;
  signal: AbortSignal;
  log: Logger;
  lookAgainMs?: number;
  refreshMs?: number;
}): Promise<void> {
  const { guildId, onRegistration, signal, log, lookAgainMs = 500, refreshMs = refreshPeriodMs } = options;
  let registeredIn = 0;
  let lookedAtMs = Infinity;
  let failures = 0;

  /** Answers with how long to wait before anything is tried again. */
  async function register(rest: REST, applicationId: string, session: number): Promise<number> {
    const isNew = session > registeredIn;
    lookedAtMs = performance.now();
    try {
      const { written, ...registration } = await registerCommands(rest, applicationId, guildId);
      if (isNew || written) {
        log.info({ hash: registration.hash, count: registration.count, written }, "commands are registered");
        onRegistration(registration);
      }
      registeredIn = session;
      failures = 0;
      return lookAgainMs;
    } catch (error) {
      if (!isNew) {
        // Discord keeps what was registered in this session: that it cannot be looked at takes nothing back.
        log.warn({ err: error }, "commands could not be looked at, doing so later");
        return lookAgainMs;
      }
      failures += 1;
      const waitMs = Math.min(600_000, 2000 * 2 ** failures);
      log.warn({ err: error, waitMs }, "commands could not be registered, trying again");
      onRegistration({ ...pendingRegistration(), state: "Failed", message: why(error) });
      return waitMs;
    }
  }

  while (!signal.aborted) {
    const session = options.session();
    const rest = options.rest();
    const applicationId = options.applicationId();
    const isDue = session > registeredIn || performance.now() - lookedAtMs >= refreshMs;
    const waitMs =
      rest !== undefined && applicationId !== undefined && isDue
        ? await register(rest, applicationId, session)
        : lookAgainMs;
    await sleep(waitMs, undefined, { signal }).catch(() => undefined);
  }
}

function why(error: unknown): string {
  if (error instanceof DiscordAPIError && error.code === 50_001) {
    return "Discord refused: the bot was invited without the scope applications.commands; invite it again with it.";
  }
  const text = error instanceof Error ? error.message : String(error);
  return `Discord did not take the commands: ${text}`.slice(0, 500);
}
