import type { Hundredths } from "./event.ts";
import type { Refusal } from "./refusal.ts";

/** The largest amount of one command, in hundredths: ten trillion points. */
const MAXIMUM_AMOUNT = 10n ** 15n;
/** The largest balance either way, in hundredths; leaves PostgreSQL's bigint room for any sum. */
export const MAXIMUM_BALANCE = 10n ** 17n;

export type Decimals = 0 | 1 | 2;

/**
 * Reads "12", "-3.5", "12.50" or "12,5" as hundredths; narrow spaces between thousands are ours. More digits than
 * `decimals` refuse it, unless they are zeros; a third digit always does, for "1,000" means a thousand to half the world.
 */
export function parseAmount(text: string, decimals: Decimals): bigint | Refusal {
  const match = /^([+-]?)(\d{1,40})(?:[.,](\d{1,9}))?$/.exec(text.trim().replaceAll("\u202F", ""));
  if (match === null) {
    return { code: "AMOUNT_MALFORMED", text };
  }
  const written = match[3] ?? "";
  const fraction = written.replace(/0+$/, "");
  if (fraction.length > decimals || written.length > 2) {
    return { code: "AMOUNT_TOO_PRECISE", text, decimals };
  }
  const size = BigInt(match[2] ?? "0") * 100n + BigInt(fraction.padEnd(2, "0"));
  if (size > MAXIMUM_AMOUNT) {
    return { code: "AMOUNT_OUT_OF_RANGE", maximum: MAXIMUM_AMOUNT };
  }
  return match[1] === "-" ? -size : size;
}

/** Writes hundredths with at least `decimals` digits after the point, and more rather than hide a fraction. */
export function formatAmount(amount: bigint, decimals: Decimals): string {
  const size = amount < 0n ? -amount : amount;
  const fraction = (size % 100n).toString().padStart(2, "0").replace(/0+$/, "").padEnd(decimals, "0");
  return `${amount < 0n ? "-" : ""}${size / 100n}${fraction === "" ? "" : `.${fraction}`}`;
}

/** Why hundredths cannot be moved in a pool of `decimals`; undefined when they can. */
export function amountRefusal(amount: bigint, decimals: Decimals): Refusal | undefined {
  if (amount <= 0n) {
    return { code: "AMOUNT_NOT_POSITIVE" };
  }
  if (amount > MAXIMUM_AMOUNT) {
    return { code: "AMOUNT_OUT_OF_RANGE", maximum: MAXIMUM_AMOUNT };
  }
  return fits(amount, decimals)
    ? undefined
    : { code: "AMOUNT_TOO_PRECISE", text: formatAmount(amount, decimals), decimals };
}

/** True when hundredths have no digit below the pool's decimals. */
export function fits(amount: bigint, decimals: Decimals): boolean {
  return amount % 10n ** BigInt(2 - decimals) === 0n;
}

export function hundredths(amount: bigint): Hundredths {
  return amount.toString();
}
