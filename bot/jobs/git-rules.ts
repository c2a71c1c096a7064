import { setTimeout as sleep } from "node:timers/promises";
import type { BotConfig } from "../../crds/bot-config.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Delivery } from "../discord/delivery.ts";
import { modeAnnouncements } from "../discord/mode-announcement.ts";
import type { Command } from "../ledger/command.ts";
import type { Json } from "../ledger/event.ts";
import { RULE_KEYS } from "../ledger/rules.ts";
import { restoreNote } from "../restore.ts";
import { TermLost } from "../store/failure.ts";
import type { GuildLedger } from "../store/request.ts";

/** The rules that a config file sets, by the ledger's keys; what it leaves out is absent. */
export function gitSettings(rules: BotConfig["rules"]): Record<string, Json> {
  const settings: Record<string, Json> = {};
  for (const key of RULE_KEYS) {
    const value = key
      .split(".")
      .reduce<unknown>((part, name) => (part as Record<string, unknown> | undefined)?.[name], rules);
    if (value !== undefined) {
      settings[key] = value as Json;
    }
  }
  return settings;
}

/**
 * What a config file asks of the ledger: that it was restored before anything else, then the rules, for the mode may
 * forbid every later change.
 * @param host the database's host, by which an abandoned ledger is known
 */
export function commandsOf(config: BotConfig, host: string): Command[] {
  const { message, channel } = config.maintenance ?? {};
  const note = restoreNote(config, host);
  return [
    ...(note === undefined ? [] : [note]),
    { type: "setRules", source: "git", settings: gitSettings(config.rules) },
    {
      type: "setMode",
      mode: config.mode,
      ...(message !== undefined && { message }),
      ...(channel !== undefined && { channel }),
    },
  ];
}

/**
 * Appends what Git says whenever it differs from what the ledger holds. Runs until `signal`; `next` resolves with the
 * configuration that is in force and again with each later one. Throws TermLost.
 */
export async function applyGitRules(options: {
  ledger: GuildLedger;
  delivery: Delivery;
  /** The database's host. */
  host: string;
  term: bigint;
  next(previous: BotConfig | undefined, signal: AbortSignal): Promise<BotConfig>;
  signal: AbortSignal;
  log: Logger;
  now(): number;
}): Promise<void> {
  const { signal, log } = options;
  let applied: BotConfig | undefined;
  while (!signal.aborted) {
    const config = await options.next(applied, signal).catch(() => undefined);
    if (config === undefined || signal.aborted) {
      return;
    }
    try {
      for (const command of commandsOf(config, options.host)) {
        await apply(command, options);
      }
      applied = config;
    } catch (error) {
      if (error instanceof TermLost) {
        throw error;
      }
      log.error({ err: error }, "what Git sets could not be stored, trying again");
      await sleep(2000, undefined, { signal }).catch(() => undefined);
    }
  }
}

async function apply(
  command: Command,
  { ledger, delivery, term, log, now }: Parameters<typeof applyGitRules>[0],
): Promise<void> {
  const { decision, outgoing } = await ledger.execute({
    command,
    actor: "git",
    atMs: now(),
    term,
    render: (decided, { state }) =>
      "refusal" in decided ? [] : modeAnnouncements(decided.outcome, state.mode.message),
  });
  void delivery.send(outgoing);
  if ("refusal" in decision) {
    log.error({ command: command.type, refusal: decision.refusal }, "what Git sets was refused");
  } else if (decision.outcome.kind !== "unchanged") {
    log.info({ outcome: decision.outcome }, "what Git sets is in force");
  }
}
