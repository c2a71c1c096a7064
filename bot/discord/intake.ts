import { setTimeout as sleep } from "node:timers/promises";
import type { APIInteraction } from "discord.js";
import { InteractionResponseType } from "./discord-js.ts";
import type { Logger } from "../../runtime/log.ts";
import { claim, finish, orphans, type Claim } from "../store/inbox.ts";
import { slashCommand } from "./catalog.ts";
import type { Surroundings } from "./command.ts";
import { answerFlags, commandName, type Handle } from "./handle.ts";
import type { InteractionApi } from "./interaction-api.ts";
import {
  invocation,
  type AutocompleteInvocation,
  type ButtonInvocation,
  type CommandInvocation,
  type Invocation,
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

/** What the steps of an interaction's way share. */
type Way = IntakeOptions & { stopping: AbortSignal };

type Taken = CommandInvocation | ButtonInvocation;

/**
 * Every replica receives every interaction; whoever inserts it first owns it. So a killed replica costs no command, and
 * nobody has to be asked who is responsible.
 */
export function intake(options: IntakeOptions): Intake {
  const { surroundings, log, metrics } = options;
  const stopping = new AbortController();
  const way: Way = { ...options, stopping: stopping.signal };
  const working = new Set<Promise<void>>();

  function track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => log.error({ err: error }, "an interaction was lost"))
      .finally(() => working.delete(tracked));
    working.add(tracked);
  }

  return {
    receive(payload) {
      const taken = understood(payload, log);
      if (taken === undefined || stopping.signal.aborted) {
        return;
      }
      if (taken.guildId !== surroundings.guildId) {
        metrics.foreign();
        log.warn({ guild: taken.guildId }, "interaction of another guild, not answered");
        return;
      }
      metrics.lag((surroundings.now() - taken.createdAtMs) / 1000);
      track(taken.kind === "autocomplete" ? offerChoices(way, taken) : take(way, taken));
    },
    async takeOver() {
      const grace = { graceMs: orphanGraceMs };
      for (const orphan of await orphans(surroundings.database, options.replica(), grace)) {
        const taken = understood(orphan.payload as APIInteraction, log);
        if (taken !== undefined && taken.kind !== "autocomplete") {
          log.info({ interaction: taken.id, command: commandName(taken) }, "taking over a command");
          track(work(way, taken, orphan.epoch, responderOf(way, taken), true));
        }
      }
    },
    async stop() {
      stopping.abort();
      await Promise.allSettled(working);
    },
  };
}

/** What came from outside may be of a shape that nobody foresaw; thrown here it would end every replica that got it. */
function understood(payload: APIInteraction, log: Logger): Invocation | undefined {
  try {
    return invocation(payload);
  } catch (error) {
    log.error({ err: error }, "an interaction could not be read, not answered");
    return undefined;
  }
}

/** The way of one interaction: claim it, or announce an answer and claim it once the database is back. */
async function take(way: Way, taken: Taken): Promise<void> {
  const { stopping, log } = way;
  const { now } = way.surroundings;
  const receivedAtMs = now();
  const answer = responderOf(way, taken);
  let won = await claimed(way, taken, receivedAtMs);
  if (won === "unavailable") {
    log.warn({ interaction: taken.id }, "the database is slow or away: command announced, not yet claimed");
    await answer.defer();
  }
  while (won === "unavailable" && now() < taken.createdAtMs + tokenLifeMs && !stopping.aborted) {
    await sleep(250, undefined, { signal: stopping }).catch(() => undefined);
    won = await claimed(way, taken, receivedAtMs);
  }
  if (won !== "unavailable" && won.claimed) {
    await work(way, taken, won.epoch, answer, false);
  }
}

async function claimed(way: Way, taken: Taken, receivedAtMs: number): Promise<Claim | "unavailable"> {
  const arrival = {
    interactionId: taken.id,
    payload: taken.payload,
    token: taken.token,
    replica: way.replica(),
    receivedAtMs,
  };
  return claim(way.surroundings.database, arrival, { timeoutMs: claimTimeoutMs }).catch((error: unknown) => {
    way.log.debug({ err: error, interaction: taken.id }, "claim not possible");
    return "unavailable" as const;
  });
}

async function work(
  way: Way,
  taken: Taken,
  epoch: number,
  answer: Responder,
  doubtful: boolean,
): Promise<void> {
  const { database, now } = way.surroundings;
  const own = { id: taken.id, epoch };
  const old = now() - taken.createdAtMs > doubtfulAfterMs;
  if ((doubtful || old) && !(await answer.confirm())) {
    const name = commandName(taken);
    way.log.warn({ command: name, interaction: taken.id }, "too late to be answered, not carried out");
    way.metrics.command(name, "expired", 0);
    await finish(database, own, []);
    return;
  }
  const waitMs = Math.max(0, taken.createdAtMs + announceAfterMs - now());
  const announce = setTimeout(() => void answer.defer(), waitMs);
  await way.handle(taken, own, answer).finally(() => clearTimeout(announce));
}

function responderOf({ interactions, surroundings }: Way, taken: Taken): Responder {
  return responder(interactions, taken, {
    component: taken.kind === "button",
    flags: answerFlags(taken),
    now: surroundings.now,
  });
}

/** No claim here: the first replica's choices win, the others hear that it was answered already. */
async function offerChoices(
  { interactions, surroundings, log }: Way,
  typing: AutocompleteInvocation,
): Promise<void> {
  try {
    const choices = (await slashCommand(typing.path)?.autocomplete?.(typing, surroundings)) ?? [];
    const type = InteractionResponseType.ApplicationCommandAutocompleteResult;
    await interactions.callback(typing, { type, data: { choices } }, surroundings.now() + 1500);
  } catch (error) {
    log.debug({ err: error }, "no choices offered");
  }
}
