import fc from "fast-check";
import { expect, test } from "vitest";
import { isSnowflake, snowflakeAt, snowflakeTimeMs } from "../../../bot/discord/snowflake.ts";

test("the time in Discord's own example is read as documented", () => {
  expect(snowflakeTimeMs("175928847299117063")).toBe(Date.parse("2016-04-30T11:18:25.796Z"));
});

test("a moment survives the way through a snowflake", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1_420_070_400_000, max: 4_000_000_000_000 }), (atMs) => {
      expect(snowflakeTimeMs(snowflakeAt(atMs))).toBe(atMs);
    }),
  );
});

test.each(["", "12", "abc", "1234567890123456", "123456789012345678901", "12345678901234567a"])(
  "%j is no Discord id",
  (text) => {
    expect(isSnowflake(text)).toBe(false);
  },
);
