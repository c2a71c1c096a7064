import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatAmount, parseAmount } from "../../../bot/ledger/amount.ts";
import { decode, encode, upcast } from "../../../bot/ledger/codec.ts";
import type { StoredEvent } from "../../../bot/ledger/event.ts";
import { evolve } from "../../../bot/ledger/evolve.ts";
import { GENESIS, chainHash, saltedText } from "../../../bot/ledger/hash.ts";
import { layered } from "../../../bot/ledger/layered.ts";
import { emptyState } from "../../../bot/ledger/state.ts";

describe("amounts", () => {
  test.each([
    { text: "12", decimals: 0, amount: 1_200n },
    { text: "12.50", decimals: 1, amount: 1_250n },
    { text: "-3,5", decimals: 2, amount: -350n },
    { text: " +0.01 ", decimals: 2, amount: 1n },
    { text: "10000000000000", decimals: 0, amount: 10n ** 15n },
    { text: "5.00", decimals: 0, amount: 500n },
    { text: "1\u202F234.5", decimals: 2, amount: 123_450n },
    { text: "-0", decimals: 2, amount: 0n },
  ] as const)("$text is read as $amount hundredths", ({ text, decimals, amount }) => {
    expect(parseAmount(text, decimals)).toBe(amount);
  });

  test.each([
    { text: "12.5", decimals: 0, code: "AMOUNT_TOO_PRECISE" },
    { text: "0.001", decimals: 2, code: "AMOUNT_TOO_PRECISE" },
    { text: "1,000", decimals: 0, code: "AMOUNT_TOO_PRECISE" },
    { text: "1.500", decimals: 2, code: "AMOUNT_TOO_PRECISE" },
    { text: "１", decimals: 2, code: "AMOUNT_MALFORMED" },
    { text: "9".repeat(20), decimals: 2, code: "AMOUNT_OUT_OF_RANGE" },
    { text: "1e3", decimals: 2, code: "AMOUNT_MALFORMED" },
    { text: "1,000.00", decimals: 2, code: "AMOUNT_MALFORMED" },
    { text: "٣", decimals: 2, code: "AMOUNT_MALFORMED" },
    { text: "", decimals: 2, code: "AMOUNT_MALFORMED" },
    { text: "10000000000000.01", decimals: 2, code: "AMOUNT_OUT_OF_RANGE" },
  ] as const)("$text is refused: $code", ({ text, decimals, code }) => {
    expect(parseAmount(text, decimals)).toMatchObject({ code });
  });

  test("are read as they are written, to the last hundredth", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }),
        fc.constantFrom(0, 1, 2),
        (amount, decimals) => {
          expect(parseAmount(formatAmount(amount, decimals), 2)).toBe(amount);
        },
      ),
    );
  });
});

const awarded: StoredEvent = {
  seq: 7,
  atMs: 1_800_000_000_000,
  guild: "123456789012345678",
  actor: "m1",
  interaction: "900000000000000001",
  rules: 2,
  type: "PointsAwarded",
  version: 1,
  data: { pool: "dkp", amount: "1250", members: ["m1", "m2"] },
};

describe("the event format", () => {
  // This text is in ledgers for ever: if it has to change, an old ledger no longer verifies.
  test("is canonical JSON with amounts as strings", () => {
    expect(encode(awarded)).toBe(
      '{"actor":"m1","atMs":1800000000000,"data":{"amount":"1250","members":["m1","m2"],"pool":"dkp"},' +
        '"guild":"123456789012345678","interaction":"900000000000000001","rules":2,"seq":7,' +
        '"type":"PointsAwarded","version":1}',
    );
    expect(decode(encode(awarded))).toEqual(awarded);
  });

  test("is chained by SHA-256 over the previous hash's bytes and the text's", () => {
    const text = encode(awarded);
    const expected = createHash("sha256")
      .update(Buffer.concat([Buffer.alloc(32), Buffer.from(text)]))
      .digest("hex");
    expect(chainHash(GENESIS, text)).toBe(expected);
  });

  test("commits to texts without telling them", () => {
    expect(saltedText("Ätherklinge", "00ff").commitment).toBe(
      createHash("sha256")
        .update(Buffer.from([0, 255]))
        .update("Ätherklinge")
        .digest("hex"),
    );
  });

  test("of an unknown type or version stops whoever reads it", () => {
    expect(() => decode('{"type":"PointsStolen","version":1,"data":{}}')).toThrow("PointsStolen");
    expect(() => decode('{"type":"PointsAwarded","version":2,"data":{}}')).toThrow("version 2");
    const event = { type: "PointsStolen", version: 1, data: {} } as unknown as StoredEvent;
    expect(() => evolve(emptyState(), event, event)).toThrow("PointsStolen");
  });

  test("of an older version is brought up step by step", () => {
    const steps = {
      "Named/1": ({ data }: { data: unknown }) => ({ type: "Named", version: 2, data: [data] }),
      "Named/2": ({ data }: { data: unknown }) => ({ type: "Named", version: 3, data: { list: data } }),
    };
    const event = { type: "Named", version: 1, data: "x", seq: 4 };
    expect(upcast(event, { Named: 3 }, steps)).toEqual({
      type: "Named",
      version: 3,
      data: { list: ["x"] },
      seq: 4,
    });
    expect(() => upcast(event, { Named: 4 }, steps)).toThrow("version 3");
  });
});

test("a layer reads through, hides what it deletes, and can be merged down or forgotten", () => {
  const below = layered<string, number>();
  below.set("a", 1);
  below.set("b", 2);
  const layer = below.fork();
  layer.set("a", 10);
  layer.delete("b");
  layer.set("c", 3);
  expect(new Map(layer.entries())).toEqual(
    new Map([
      ["a", 10],
      ["c", 3],
    ]),
  );
  expect([below.get("a"), below.has("b"), below.get("c")]).toEqual([1, true, undefined]);
  layer.merge();
  expect(new Map(below.entries())).toEqual(new Map(layer.entries()));
});
