import { setTimeout as sleep } from "node:timers/promises";
import { InteractionResponseType, type APIInteraction } from "discord.js";
import type { Logger } from "../../runtime/log.ts";
import { claim, finish, orphans } from "../store/inbox.ts";
import { slashCommand } from "./catalog.ts";
import type { Surroundings } from "./command.ts";
import { answerFlags, commandName, type Handle } from "./handle.ts";
import type { InteractionApi } from "./interaction-api.ts";
import {
  invocation,
  type AutocompleteInvocation,
  type ButtonInvocation,
  type CommandInvocation,
} from "./interaction.ts";
import type { BotMetrics } from "./metrics.ts";
import { tokenLifeMs } from "./outgoing.ts";
import { responder, type Responder } from "./responder.ts";

export type Intake = {
  /** Takes an interaction as it came from the gateway. */
  receive(payload: APIInteraction): void;
  /** Takes over what replicas left unfinished that are gone. */
  takeOver(): Promise<void>;
  /** Takes nothing more and waits for what was taken. */
  stop(): Promise<void>;
};

export type IntakeOptions = {
  surroundings: Surroundings;
  /** This replica's id, which changes when its connection to the database does. */
  replica(): number;
  interactions: InteractionApi;
  handle: Handle;
  metrics: BotMetrics;
  log: Logger;
};

/** A claim waits so long for the database; after that the member is told to wait and the claim follows. */
const claimTimeoutMs = 1000;
/** A command that is not answered so long after it was made is announced first. */
const announceAfterMs = 1800;
/** An interaction older than this may be unknown to Discord by now: find out before anything is changed. */
const doubtfulAfterMs = 2200;
/** A claim whose owner is gone is left alone for so long, in case its answer is just on the way. */
const orphanGraceMs = 500;

/**
 * Every replica receives every interaction; whoever inserts it first owns it. So a killed replica costs no command, and
 * nobody has to be asked who is responsible.
 */
export function intake(options: IntakeOptions): Intake {
  const { surroundings, interactions, log, metrics } = options;
  const { database, now } = surroundings;
  const stopping = new AbortController();
  const working = new Set<Promise<void>>();

  function track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => log.error({ err: error }, "an interaction was lost"))
      .finally(() => working.delete(tracked));
    working.add(tracked);
  }

  function responderOf(taken: CommandInvocation | ButtonInvocation): Responder {
    return responder(interactions, taken, {
      component: taken.kind === "button",
      flags: answerFlags(taken),
      now,
    });
  }

  async function work(
    taken: CommandInvocation | ButtonInvocation,
    epoch: number,
    answer: Responder,
    doubtful: boolean,
  ): Promise<void> {
    const claimed = { id: taken.id, epoch };
    if ((doubtful || now() - taken.createdAtMs > doubtfulAfterMs) && !(await answer.confirm())) {
      log.warn(
        { command: commandName(taken), interaction: taken.id },
        "too late to be answered, not carried out",
      );
      metrics.command(commandName(taken), "expired", 0);
      await finish(database, claimed, []);
      return;
    }
    const announce = setTimeout(() => void answer.defer(), taken.createdAtMs + announceAfterMs - now());
    await options.handle(taken, claimed, answer).finally(() => clearTimeout(announce));
  }

  async function claimed(
    taken: CommandInvocation | ButtonInvocation,
    receivedAtMs: number,
  ): Promise<{ claimed: true; epoch: number } | { claimed: false } | "unavailable"> {
    return claim(
      database,
      {
        interactionId: taken.id,
        payload: taken.payload,
        token: taken.token,
        replica: options.replica(),
        receivedAtMs,
      },
      { timeoutMs: claimTimeoutMs },
    ).catch((error: unknown) => {
      log.debug({ err: error, interaction: taken.id }, "claim not possible");
      return "unavailable" as const;
    });
  }

  /** The way of one interaction: claim it, or announce an answer and claim it once the database is back. */
  async function take(taken: CommandInvocation | ButtonInvocation): Promise<void> {
    const receivedAtMs = now();
    const answer = responderOf(taken);
    let claim = await claimed(taken, receivedAtMs);
    if (claim === "unavailable") {
      log.warn({ interaction: taken.id }, "the database is slow or away: command announced, not yet claimed");
      await answer.defer();
    }
    while (claim === "unavailable" && now() < taken.createdAtMs + tokenLifeMs && !stopping.signal.aborted) {
      await sleep(250, undefined, { signal: stopping.signal }).catch(() => undefined);
      claim = await claimed(taken, receivedAtMs);
    }
    if (claim !== "unavailable" && claim.claimed) {
      await work(taken, claim.epoch, answer, false);
    }
  }

  async function choices(typing: AutocompleteInvocation): Promise<void> {
    const command = slashCommand(typing.path);
    const offered = (await command?.autocomplete?.(typing, surroundings)) ?? [];
    // No claim: the first replica's choices win, the others hear that it was answered already.
    await interactions.callback(
      typing,
      { type: InteractionResponseType.ApplicationCommandAutocompleteResult, data: { choices: offered } },
      now() + 1500,
    );
  }

  return {
    receive(payload) {
      const taken = invocation(payload);
      if (taken === undefined || stopping.signal.aborted) {
        return;
      }
      if (taken.guildId !== surroundings.guildId) {
        metrics.foreign();
        log.warn({ guild: taken.guildId }, "interaction of another guild, not answered");
        return;
      }
      metrics.lag((now() - taken.createdAtMs) / 1000);
      if (taken.kind === "autocomplete") {
        track(choices(taken).catch((error: unknown) => log.debug({ err: error }, "no choices offered")));
      } else {
        track(take(taken));
      }
    },
    async takeOver() {
      for (const orphan of await orphans(database, options.replica(), { graceMs: orphanGraceMs })) {
        const taken = invocation(orphan.payload as APIInteraction);
        if (taken !== undefined && taken.kind !== "autocomplete") {
          log.info({ interaction: taken.id, command: commandName(taken) }, "taking over a command");
          track(work(taken, orphan.epoch, responderOf(taken), true));
        }
      }
    },
    async stop() {
      stopping.abort();
      await Promise.allSettled(working);
    },
  };
}
