import fc from "fast-check";
import { expect, test } from "vitest";
import { amountText } from "../../../bot/discord/points.ts";

test.each([
  [0n, 0, "0"],
  [5000n, 0, "50"],
  [5050n, 0, "50.5"],
  [5050n, 2, "50.50"],
  [1n, 0, "0.01"],
  [-250n, 1, "−2.5"],
  [123_456_789_00n, 0, "123\u202F456\u202F789"],
  [100_000n, 2, "1\u202F000.00"],
])("%i hundredths with %i decimals read as %s", (hundredths, decimals, text) => {
  expect(amountText(hundredths, decimals)).toBe(text);
});

test("no amount is ever rounded on the screen", () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(10n ** 17n), max: 10n ** 17n }),
      fc.integer({ min: 0, max: 2 }),
      (amount, decimals) => {
        const [whole = "", fraction = ""] = amountText(amount, decimals)
          .replace("−", "-")
          .replaceAll("\u202F", "")
          .split(".");
        const negative = whole.startsWith("-");
        const magnitude = BigInt(whole.replace("-", "")) * 100n + BigInt(fraction.padEnd(2, "0"));
        expect(negative ? -magnitude : magnitude).toBe(amount);
      },
    ),
  );
});
