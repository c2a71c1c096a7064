import canonicalize from "canonicalize";
import { fits } from "./amount.ts";
import type { SetMode, SetRules } from "./command.ts";
import type { Outcome } from "./decision.ts";
import { emit } from "./draft.ts";
import type { Draft } from "./draft.ts";
import type { Refusal } from "./refusal.ts";
import { ruleProblem } from "./rule-check.ts";
import { rulesOf } from "./rules.ts";
import type { Settings } from "./rules.ts";
import type { State } from "./state.ts";

/** Changes the rules. What Git sets is Git's alone; what it leaves out is Discord's. */
export function setRules(work: Draft, command: SetRules): Outcome | Refusal {
  const { git, discord } = work.state.settings;
  const owned = command.source === "discord" ? Object.keys(command.settings).filter((key) => key in git) : [];
  if (owned.length > 0) {
    return { code: "RULES_OWNED_BY_GIT", keys: owned };
  }
  for (const [key, value] of Object.entries(command.settings)) {
    const unset = command.source === "discord" && value === null;
    const problem = unset ? undefined : ruleProblem(key, value);
    if (problem !== undefined) {
      return { code: "RULE_INVALID", key, problem };
    }
  }
  const before: Settings = command.source === "git" ? git : discord;
  const wanted: Settings = command.source === "git" ? command.settings : { ...discord, ...command.settings };
  const keys = [...new Set([...Object.keys(before), ...Object.keys(wanted)])]
    .filter((key) => canonicalize(before[key] ?? null) !== canonicalize(wanted[key] ?? null))
    .sort();
  if (keys.length === 0) {
    return { kind: "unchanged" };
  }
  const { source, settings } = command;
  const version = emit(work, { type: "RulesChanged", version: 1, data: { source, settings } });
  // The draft stands on a fork: balances are the same below and above the new rules.
  return poolRefusal(work.state) ?? { kind: "rulesChanged", version, keys };
}

/** A pool that members have points in stays, and keeps the decimals that they need. */
function poolRefusal(state: State): Refusal | undefined {
  const rules = rulesOf(state.version, state.settings.git, state.settings.discord);
  const pools = new Map(rules.pools.map((pool) => [pool.name, pool]));
  const misfit = (name: string, amount: bigint): boolean => {
    const pool = pools.get(name);
    return amount !== 0n && (pool === undefined || !fits(amount, pool.decimals));
  };
  for (const [key, balance] of state.balances.entries()) {
    const name = key.slice(key.indexOf("/") + 1);
    if (misfit(name, balance)) {
      return { code: "POOL_IN_USE", pool: name };
    }
  }
  for (const [, auction] of state.auctions.entries()) {
    if (misfit(auction.pool, auction.increment)) {
      return { code: "POOL_IN_USE", pool: auction.pool };
    }
  }
  return undefined;
}

/** Lets the ledger be written, or not. */
export function setMode(work: Draft, { mode, message, channel }: SetMode): Outcome {
  const now = work.state.mode;
  if (now.mode === mode && now.message === message) {
    return { kind: "unchanged" };
  }
  // The end of a maintenance is told where its beginning was, even when the configuration names no channel any more.
  const place = channel ?? now.channel;
  const where = place === undefined ? {} : { channel: place };
  const data = {
    mode,
    ...(message === undefined ? {} : { message }),
    ...(mode === "maintenance" ? where : {}),
  };
  emit(work, { type: "ModeChanged", version: 1, data });
  return { kind: "modeChanged", mode, before: now.mode, ...where };
}
