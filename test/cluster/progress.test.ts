import { expect, test, vi } from "vitest";
import { progressTo } from "./progress.ts";

test("a step that lasts says what it is at, and a finished one how long it took", async () => {
  let text = "";
  const output = { write: (more: string) => void (text += more), terminal: false, everyMs: 5 };
  const result = await progressTo(output).step("Building", async (detail) => {
    detail("package 3 of 9");
    await vi.waitFor(() => expect(text).toContain("package 3 of 9"));
    return "built";
  });
  expect(result).toBe("built");
  expect(text).toMatch(/^ {2}… Building, \d+\.\d s, package 3 of 9$/m);
  expect(text).toMatch(/✓ Building \(\d+\.\d s\)\n$/);
});

test("of nested steps only the inner one speaks", async () => {
  let text = "";
  const progress = progressTo({ write: (more) => void (text += more), terminal: false, everyMs: 5 });
  await progress.step("outer", () =>
    progress.step("inner", () => vi.waitFor(() => expect(text.split("… inner").length).toBeGreaterThan(3))),
  );
  expect(text).not.toContain("… outer");
});

test("a failed step is shown as failed and its error goes on", async () => {
  let text = "";
  const progress = progressTo({ write: (more) => void (text += more), terminal: true });
  await expect(progress.step("Starting", () => Promise.reject(new Error("port taken")))).rejects.toThrow(
    "port taken",
  );
  expect(text).toContain("✗ Starting");
});
