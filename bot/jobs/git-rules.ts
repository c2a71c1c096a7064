import { setTimeout as sleep } from "node:timers/promises";
import type { BotConfig } from "../../crds/bot-config.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Command } from "../ledger/command.ts";
import type { Json } from "../ledger/event.ts";
import { RULE_KEYS } from "../ledger/rules.ts";
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

/** What a config file asks of the ledger: the rules first, for the mode may forbid every later change. */
export function commandsOf(config: BotConfig): Command[] {
  const message = config.maintenance?.message;
  return [
    { type: "setRules", source: "git", settings: gitSettings(config.rules) },
    { type: "setMode", mode: config.mode, ...(message !== undefined && { message }) },
  ];
}

/**
 * Appends what Git says whenever it differs from what the ledger holds. Runs until `signal`; `next` resolves with the
 * configuration that is in force and again with each later one. Throws TermLost.
 */
export async function applyGitRules(options: {
  ledger: GuildLedger;
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
      for (const command of commandsOf(config)) {
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
  { ledger, term, log, now }: Parameters<typeof applyGitRules>[0],
): Promise<void> {
  const { decision } = await ledger.execute({ command, actor: "git", atMs: now(), term });
  if ("refusal" in decision) {
    log.error({ command: command.type, refusal: decision.refusal }, "what Git sets was refused");
  } else if (decision.outcome.kind !== "unchanged") {
    log.info({ outcome: decision.outcome }, "what Git sets is in force");
  }
}
