import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { duration, enumerated, literal, plain, preformatted } from "../../../bot/discord/text.ts";

describe("names and reasons of members", () => {
  test.each([
    ["mentions everybody", "@everyone", String.raw`\@everyone`],
    ["mentions a member", "<@123456789012345678>", String.raw`\<\@123456789012345678\>`],
    ["makes itself bold", "**boss**", String.raw`\*\*boss\*\*`],
    ["hides itself", "||secret||", String.raw`\|\|secret\|\|`],
    ["links somewhere", "[free](https://evil.example)", String.raw`\[free\]\(https\://evil\.example\)`],
    ["begins a heading", "# big", String.raw`\# big`],
    ["breaks the line", "one\ntwo\r\nthree", "one two three"],
    ["turns the direction of writing", "abc\u202Edcb\u202C", "abcdcb"],
    ["hides zero-width characters", "o\u200Brla\u2060\uFEFF", "orla"],
    ["is nothing but invisible", "\u200B\u200D\u3164\u2800".replace("\u2800", ""), "(no name)"],
    ["escapes its own escapes", String.raw`\*`, String.raw`\\\*`],
  ])("a name that %s is shown literally", (_, name, shown) => {
    expect(literal(name)).toBe(shown);
  });

  test("a pile of accents is cut down to a few", () => {
    expect(plain(`a${"\u0301".repeat(400)}`, 200).length).toBeLessThan(6);
  });

  test("a code block cannot be left", () => {
    expect(preformatted("```\n@everyone", 40)).not.toContain("`");
  });

  test("no text ever exceeds its limit or is cut inside a character", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme", maxLength: 300 }),
        fc.integer({ min: 2, max: 100 }),
        (text, limit) => {
          const shown = plain(text, limit);
          expect(shown.length).toBeLessThanOrEqual(limit);
          expect(shown.isWellFormed()).toBe(true);
        },
      ),
    );
  });

  test("whatever is literal holds no bare formatting", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 100 }), (text) => {
        const bare = literal(text, 200).replaceAll(/\\[^A-Za-z0-9\s]/g, "");
        expect(bare).not.toMatch(/[*_~`|<@#[\]]/);
      }),
    );
  });
});

test.each([
  [0, "0 s"],
  [45, "45 s"],
  [60, "1 min"],
  [7500, "2 h 5 min"],
  [90_061, "1 d 1 h"],
])("%i seconds read as %s", (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

test("a long list is cut short and says by how much", () => {
  expect(enumerated(["a"])).toBe("a");
  expect(enumerated(["a", "b", "c"])).toBe("a, b and c");
  expect(enumerated(["a", "b", "c", "d"], 2)).toBe("a, b and 2 more");
});
