import type { PoolName } from "../ledger/event.ts";
import type { Pool, Rules } from "../ledger/rules.ts";

/** The pool of that name, or the guild's first one when none is named; undefined for a name that no pool has. */
export function poolNamed(rules: Rules, name: PoolName | undefined): Pool | undefined {
  return name === undefined ? rules.pools[0] : rules.pools.find((pool) => pool.name === name);
}

/**
 * Hundredths as a pool shows them: exactly its decimals, or more where an older amount has more (nothing is ever
 * rounded away on the screen). Thousands are set apart by narrow spaces so that no locale misreads them.
 */
export function amountText(hundredths: bigint, decimals: number): string {
  const negative = hundredths < 0n;
  const magnitude = negative ? -hundredths : hundredths;
  const whole = String(magnitude / 100n).replaceAll(/\B(?=(\d{3})+$)/g, "\u202F");
  const hundredth = String(magnitude % 100n).padStart(2, "0");
  const needed = hundredth === "00" ? 0 : hundredth.endsWith("0") ? 1 : 2;
  const shown = Math.max(decimals, needed);
  return `${negative ? "−" : ""}${whole}${shown === 0 ? "" : `.${hundredth.slice(0, shown)}`}`;
}

/** An amount with its pool's name: "12.50 dkp". */
export function pointsText(rules: Rules, pool: PoolName, hundredths: bigint): string {
  return `${amountText(hundredths, poolNamed(rules, pool)?.decimals ?? 2)} ${pool}`;
}

/** A difference with its sign: "+12.50 dkp", "−3 dkp". */
export function changeText(rules: Rules, pool: PoolName, hundredths: bigint): string {
  return `${hundredths > 0n ? "+" : ""}${pointsText(rules, pool, hundredths)}`;
}
