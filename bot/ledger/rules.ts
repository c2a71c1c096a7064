import { parseAmount } from "./amount.ts";
import type { Decimals } from "./amount.ts";
import type { AntiSnipe, Json, PoolName } from "./event.ts";

export type Pool = {
  readonly name: PoolName;
  /** Decimals shown and accepted. */
  readonly decimals: Decimals;
  /** Hundredths. */
  readonly startPoints: bigint;
  /** What a spend may not go below, in hundredths. */
  readonly floor: bigint;
};

/** The rules in force, defaults filled in. */
export type Rules = {
  /** The seq of the last RulesChanged; 0 before the first. */
  readonly version: number;
  /** Never empty; the first one is meant where a command names none. */
  readonly pools: readonly Pool[];
  readonly auctions: {
    readonly minimumBid: bigint;
    readonly increment: bigint;
    readonly durationMs: number;
    readonly antiSnipe: AntiSnipe;
  };
  /** Discord role ids. */
  readonly roles: { readonly officers: readonly string[] };
  /** Discord channel ids. */
  readonly channels: { readonly auctions?: string; readonly results?: string };
  readonly locale: string;
  readonly timeZone: string;
};

/** Settings by key, as RulesChanged carries them. Amounts are decimal strings or whole points ("12.50", 12). */
export type Settings = Readonly<Record<string, Json>>;

/** Every key of settings. `pools` is a list of {name, decimals?, startPoints?, floor?}. */
export const RULE_KEYS = [
  "pools",
  "auctions.minimumBid",
  "auctions.increment",
  "auctions.durationSeconds",
  "auctions.antiSnipe.windowSeconds",
  "auctions.antiSnipe.extensionSeconds",
  "auctions.antiSnipe.maxExtensions",
  "roles.officers",
  "channels.auctions",
  "channels.results",
  "locale",
  "timeZone",
] as const;
export type RuleKey = (typeof RULE_KEYS)[number];

const defaults: Record<Exclude<RuleKey, "channels.auctions" | "channels.results">, Json> = {
  pools: [{ name: "dkp" }],
  "auctions.minimumBid": 1,
  "auctions.increment": 1,
  "auctions.durationSeconds": 300,
  "auctions.antiSnipe.windowSeconds": 15,
  "auctions.antiSnipe.extensionSeconds": 15,
  "auctions.antiSnipe.maxExtensions": 20,
  "roles.officers": [],
  locale: "en",
  timeZone: "UTC",
};

/** The rules in force: what Git sets, else what Discord sets, else the defaults. Settings were checked when decided. */
export function rulesOf(version: number, git: Settings, discord: Settings): Rules {
  const all: Settings = { ...defaults, ...discord, ...git };
  const unknown = Object.keys(all).find((key) => !(RULE_KEYS as readonly string[]).includes(key));
  if (unknown !== undefined) {
    throw Object.assign(new Error(`this version does not know the rule ${unknown}: update it`), {
      name: "UnreadableEvent",
    });
  }
  const auctions = all["channels.auctions"];
  const results = all["channels.results"];
  return {
    version,
    pools: (all["pools"] as readonly Settings[]).map(pool),
    auctions: {
      minimumBid: amount(all["auctions.minimumBid"]),
      increment: amount(all["auctions.increment"]),
      durationMs: Number(all["auctions.durationSeconds"]) * 1000,
      antiSnipe: {
        windowMs: Number(all["auctions.antiSnipe.windowSeconds"]) * 1000,
        extensionMs: Number(all["auctions.antiSnipe.extensionSeconds"]) * 1000,
        maxExtensions: Number(all["auctions.antiSnipe.maxExtensions"]),
      },
    },
    roles: { officers: all["roles.officers"] as readonly string[] },
    channels: {
      ...(typeof auctions === "string" ? { auctions } : {}),
      ...(typeof results === "string" ? { results } : {}),
    },
    locale: text(all["locale"]),
    timeZone: text(all["timeZone"]),
  };
}

function pool(settings: Settings): Pool {
  return {
    name: text(settings["name"]),
    decimals: Number(settings["decimals"] ?? 0) as Decimals,
    startPoints: amount(settings["startPoints"] ?? 0),
    floor: amount(settings["floor"] ?? 0),
  };
}

function amount(setting: Json | undefined): bigint {
  const read = parseAmount(text(setting), 2);
  if (typeof read !== "bigint") {
    throw new TypeError(`a rule holds ${text(setting)}, which is not an amount`);
  }
  return read;
}

function text(setting: Json | undefined): string {
  return typeof setting === "string" ? setting : JSON.stringify(setting);
}
