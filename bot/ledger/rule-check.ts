import { fits, parseAmount } from "./amount.ts";
import type { Decimals } from "./amount.ts";
import { DURATION_MS, GRACE_MS } from "./auction.ts";
import type { Json } from "./event.ts";
import { RULE_KEYS } from "./rules.ts";
import type { RuleKey, Settings } from "./rules.ts";

type Check = (value: Json) => string | undefined;

/** What is wrong with one setting, as the end of a sentence ("must be …"); undefined when nothing is. */
export function ruleProblem(key: string, value: Json): string | undefined {
  if (!(RULE_KEYS as readonly string[]).includes(key)) {
    return "is not a rule";
  }
  return checks[key as RuleKey](value);
}

const checks: Record<RuleKey, Check> = {
  pools: poolsProblem,
  "auctions.minimumBid": amountProblem(0n),
  "auctions.increment": amountProblem(1n),
  "auctions.durationSeconds": wholeProblem(DURATION_MS.minimum / 1000, DURATION_MS.maximum / 1000),
  // A window shorter than the grace period would let a late arrival take back an extension that others relied on.
  "auctions.antiSnipe.windowSeconds": (value) =>
    value === 0 ? undefined : wholeProblem(GRACE_MS / 1000, 3600)(value),
  "auctions.antiSnipe.extensionSeconds": wholeProblem(0, 3600),
  "auctions.antiSnipe.maxExtensions": wholeProblem(0, 1000),
  "roles.officers": (value) =>
    Array.isArray(value) && value.length <= 50 && value.every(isSnowflake)
      ? undefined
      : "must be a list of at most 50 role ids",
  "channels.auctions": channelProblem,
  "channels.results": channelProblem,
  locale: (value) =>
    typeof value === "string" && /^[a-z]{2,3}(-[A-Z]{2})?$/.test(value)
      ? undefined
      : "must be a language such as en, de or pt-BR",
  timeZone: (value) =>
    typeof value === "string" && isTimeZone(value)
      ? undefined
      : "must be a time zone of the IANA database such as Europe/Berlin",
};

function channelProblem(value: Json): string | undefined {
  return isSnowflake(value) ? undefined : "must be a channel id";
}

function isSnowflake(value: Json): boolean {
  return typeof value === "string" && /^\d{17,20}$/.test(value);
}

function isTimeZone(value: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: value }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

function wholeProblem(minimum: number, maximum: number): Check {
  return (value) =>
    typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= maximum
      ? undefined
      : `must be a whole number from ${minimum} to ${maximum}`;
}

function amountProblem(minimum: bigint): Check {
  return (value) => {
    const read =
      typeof value === "string" || typeof value === "number" ? parseAmount(String(value), 2) : undefined;
    return typeof read === "bigint" && read >= minimum
      ? undefined
      : `must be an amount of at least ${minimum === 0n ? "0" : "0.01"} with at most two decimals`;
  };
}

function poolsProblem(value: Json): string | undefined {
  if (!Array.isArray(value) || value.length === 0 || value.length > 20) {
    return "must be a list of 1 to 20 pools";
  }
  const pools = value as readonly Json[];
  const problem = pools.map(poolProblem).find((found) => found !== undefined);
  if (problem !== undefined) {
    return problem;
  }
  const names = new Set(pools.map((pool) => (pool as Settings)["name"]));
  return names.size === pools.length ? undefined : "must not name a pool twice";
}

function poolProblem(value: Json): string | undefined {
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    return "must be a list of {name, decimals, startPoints, floor}";
  }
  const pool = value as Settings;
  const odd = Object.keys(pool).find((key) => !["name", "decimals", "startPoints", "floor"].includes(key));
  if (odd !== undefined) {
    return `must not have the field ${odd} in a pool`;
  }
  if (typeof pool["name"] !== "string" || !/^[a-z0-9][a-z0-9_-]{0,31}$/.test(pool["name"])) {
    return "must name each pool with up to 32 of a–z, 0–9, - and _";
  }
  const decimals = pool["decimals"] ?? 0;
  if (decimals !== 0 && decimals !== 1 && decimals !== 2) {
    return `must give the pool ${pool["name"]} 0, 1 or 2 decimals`;
  }
  const wrong = ["startPoints", "floor"].find((key) => !isPoolAmount(pool[key] ?? 0, decimals));
  return wrong === undefined
    ? undefined
    : `must give the pool ${pool["name"]} a ${wrong} with at most ${decimals} decimals`;
}

function isPoolAmount(value: Json, decimals: Decimals): boolean {
  const read =
    typeof value === "string" || typeof value === "number" ? parseAmount(String(value), 2) : undefined;
  return typeof read === "bigint" && fits(read, decimals);
}
