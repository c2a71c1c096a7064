import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { lock, made } from "./cache.ts";
import { silent } from "./progress.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dkp-cache-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("of many who ask for a file at once one makes it and all get it", async () => {
  let times = 0;
  const target = join(folder, "once");
  const ask = (): Promise<string> =>
    made(target, "making", silent, async (unfinished) => {
      times += 1;
      await writeFile(unfinished, "whole");
    });
  expect(await Promise.all([ask(), ask(), ask(), ask()])).toEqual([target, target, target, target]);
  expect(times).toBe(1);
  expect(await readFile(target, "utf8")).toBe("whole");
});

test("a failed attempt leaves nothing, and the next one makes the file", async () => {
  const target = join(folder, "second-try");
  const failing = made(target, "making", silent, async (unfinished) => {
    await writeFile(unfinished, "half");
    throw new Error("no space left");
  });
  await expect(failing).rejects.toThrow("no space left");
  await made(target, "making", silent, (unfinished) => writeFile(unfinished, "whole"));
  expect(await readFile(target, "utf8")).toBe("whole");
});

test("a lock that a dead process left is taken over", async () => {
  const gone = spawn(process.execPath, ["-e", ""]);
  await once(gone, "exit");
  const path = join(folder, "stale.lock");
  await writeFile(path, String(gone.pid));
  const release = await lock(path, () => undefined);
  expect(await readFile(path, "utf8")).toBe(String(process.pid));
  await release();
});
