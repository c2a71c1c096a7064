import { setTimeout as sleep } from "node:timers/promises";
import type { APIInteraction } from "discord.js";
import { InteractionResponseType } from "./discord-js.ts";
import type { Logger } from "../../runtime/log.ts";
import { claim, finish, orphans, type Arrival, type Claim } from "../store/inbox.ts";
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
import type { BotMetrics, CommandResult } from "./metrics.ts";
import { tokenLifeMs } from "./outgoing.ts";
import { responder, type Responder } from "./responder.ts";

export type Intake = {
  /** Takes an interaction as it came from the gateway. */
  receive(payload: APIInteraction): void;
  /** Takes over what nobody works on: what replicas left that are gone, and what this one took without knowing or failed at. */
  takeOver(): Promise<void>;
  /** Takes nothing more and waits for what was taken. */
  stop(): Promise<void>;
};

export type IntakeOptions = {
  surroundings: Surroundings;
  /** This replica's id (presence.ts). */
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
 * nobody has to be asked who is responsible. Whoever owns one and does not work on it takes it up again (`takeOver`).
 */
export function intake(options: IntakeOptions): Intake {
  const { surroundings, log, metrics } = options;
  const stopping = new AbortController();
  const way: Way = { ...options, stopping: stopping.signal };
  const inHand = new Map<string, Promise<void>>();

  function pursue(id: string, work: () => Promise<void>): void {
    // Two sessions that overlap bring it twice, and a claim may be found that was made without our knowing.
    if (inHand.has(id)) {
      return;
    }
    const pursued = work()
      .catch((error: unknown) =>
        log.error({ err: error, interaction: id }, "an interaction was dropped, to be taken up again"),
      )
      .finally(() => inHand.delete(id));
    inHand.set(id, pursued);
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
      pursue(taken.id, () =>
        taken.kind === "autocomplete" ? offerChoices(way, taken) : take(way, taken, surroundings.now()),
      );
    },
    async takeOver() {
      if (stopping.signal.aborted) {
        return;
      }
      const { database } = surroundings;
      const which = { graceMs: orphanGraceMs, inHand: [...inHand.keys()] };
      for (const { interactionId, epoch, payload, receivedAtMs } of await orphans(
        database,
        options.replica(),
        which,
      )) {
        const taken = understood(payload as APIInteraction, log);
        if (taken === undefined || taken.kind === "autocomplete") {
          await finish(database, { id: interactionId, epoch }, []);
        } else {
          log.info({ interaction: taken.id, command: commandName(taken) }, "taking over a command");
          pursue(taken.id, () => take(way, taken, receivedAtMs, epoch));
        }
      }
    },
    async stop() {
      stopping.abort();
      await Promise.allSettled(inHand.values());
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

/**
 * The way of one interaction: claim it and carry it out. A claim that is lost on the way is made again: either another replica
 * has the interaction and answers it, or a failover lost the claim, and then nobody else would.
 * @param inherited the epoch of a claim that was taken over
 */
async function take(way: Way, taken: Taken, receivedAtMs: number, inherited?: number): Promise<void> {
  const answer = responderOf(way, taken);
  const arrival = {
    interactionId: taken.id,
    payload: taken.payload,
    token: taken.token,
    replica: way.replica(),
    receivedAtMs,
  };
  let epoch = inherited ?? (await won(way, taken, arrival, answer));
  while (epoch !== undefined && (await work(way, taken, epoch, answer, inherited !== undefined)) === "lost") {
    epoch = await won(way, taken, arrival, answer);
  }
}

/**
 * Claims an interaction, however long the database takes; meanwhile an answer is announced.
 * @returns the claim's epoch; undefined when another replica was first, or it is too late
 */
async function won(way: Way, taken: Taken, arrival: Arrival, answer: Responder): Promise<number | undefined> {
  const { stopping, log } = way;
  const { now } = way.surroundings;
  let claim = await claimed(way, arrival);
  if (claim === "unavailable") {
    log.warn({ interaction: taken.id }, "the database is slow or away: command announced, not yet claimed");
    await answer.defer();
  }
  while (claim === "unavailable" && now() < taken.createdAtMs + tokenLifeMs && !stopping.aborted) {
    await sleep(250, undefined, { signal: stopping }).catch(() => undefined);
    claim = await claimed(way, arrival);
  }
  return claim !== "unavailable" && claim.claimed ? claim.epoch : undefined;
}

async function claimed(way: Way, arrival: Arrival): Promise<Claim | "unavailable"> {
  return claim(way.surroundings.database, arrival, { timeoutMs: claimTimeoutMs }).catch((error: unknown) => {
    way.log.debug({ err: error, interaction: arrival.interactionId }, "claim not possible");
    return "unavailable" as const;
  });
}

async function work(
  way: Way,
  taken: Taken,
  epoch: number,
  answer: Responder,
  doubtful: boolean,
): Promise<CommandResult> {
  const { database, now } = way.surroundings;
  const own = { id: taken.id, epoch };
  const old = now() - taken.createdAtMs > doubtfulAfterMs;
  if ((doubtful || old) && !(await answer.confirm())) {
    const name = commandName(taken);
    way.log.warn({ command: name, interaction: taken.id }, "too late to be answered, not carried out");
    way.metrics.command(name, "expired", 0);
    await finish(database, own, []);
    return "expired";
  }
  const waitMs = Math.max(0, taken.createdAtMs + announceAfterMs - now());
  const announce = setTimeout(() => void answer.defer(), waitMs);
  return way.handle(taken, own, answer).finally(() => clearTimeout(announce));
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
