import { setTimeout as sleep } from "node:timers/promises";
import type { REST } from "discord.js";
import { DiscordAPIError } from "../discord/discord-js.ts";
import type { Logger } from "../../runtime/log.ts";
import { pendingRegistration, registerCommands, type Registration } from "../discord/registration.ts";

/**
 * Keeps the guild's commands registered until `signal`: once there is a session, and again when another one begins or
 * after a failure. `session` is a number that grows with each session, 0 before the first.
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
}): Promise<void> {
  const { signal, log } = options;
  let registeredIn = 0;
  let failures = 0;
  while (!signal.aborted) {
    const session = options.session();
    const rest = options.rest();
    const applicationId = options.applicationId();
    let waitMs = options.lookAgainMs ?? 500;
    if (rest !== undefined && applicationId !== undefined && session > registeredIn) {
      try {
        const { written, ...registration } = await registerCommands(rest, applicationId, options.guildId);
        log.info({ hash: registration.hash, count: registration.count, written }, "commands are registered");
        options.onRegistration(registration);
        registeredIn = session;
        failures = 0;
      } catch (error) {
        failures += 1;
        waitMs = Math.min(600_000, 2000 * 2 ** failures);
        log.warn({ err: error, waitMs }, "commands could not be registered, trying again");
        options.onRegistration({ ...pendingRegistration(), state: "Failed", message: why(error) });
      }
    }
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
