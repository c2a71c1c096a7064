import type { AntiSnipe, Json, PoolName } from "./event.ts";

export type Pool = {
  readonly name: PoolName;
  /** Decimals shown and accepted. */
  readonly decimals: 0 | 1 | 2;
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

/** Settings by key, as RulesChanged carries them. Amounts are decimal strings or whole numbers of points ("12.50", 12). */
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
