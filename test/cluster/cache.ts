import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, unlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Progress } from "./progress.ts";

/** Where built binaries and images are kept between runs and checkouts: $DKP_CACHE or ~/.cache/dkp-operator. */
export function cacheFolder(env: NodeJS.ProcessEnv): string {
  return env["DKP_CACHE"] ?? join(env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "dkp-operator");
}

/** A short name for what was made from `parts`: the same inputs give the same name. */
export function fingerprint(...parts: (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  parts.forEach((part) => hash.update(part).update("\0"));
  return hash.digest("hex").slice(0, 12);
}

/**
 * The path `target`, made by `make` if it is not there yet. `make` writes to the path it is given, which is renamed into
 * place when it is complete: no caller ever sees half a file. Of callers at the same time, in any process, one makes it and
 * the others wait.
 */
export async function made(
  target: string,
  title: string,
  progress: Progress,
  make: (unfinished: string, detail: (text: string) => void) => Promise<void>,
): Promise<string> {
  if (existsSync(target)) {
    return target;
  }
  await mkdir(dirname(target), { recursive: true });
  return progress.step(title, async (detail) => {
    const release = await lock(`${target}.lock`, detail);
    const unfinished = `${target}.${process.pid}`;
    try {
      if (!existsSync(target)) {
        await make(unfinished, detail);
        await rename(unfinished, target);
      }
      return target;
    } finally {
      await rm(unfinished, { recursive: true, force: true });
      await release();
    }
  });
}

/** Holds a lock file with this process's id; one left by a dead process is taken over. */
export async function lock(path: string, detail: (text: string) => void): Promise<() => Promise<void>> {
  for (;;) {
    try {
      await writeFile(path, String(process.pid), { flag: "wx" });
      return () => rm(path, { force: true });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "EEXIST") {
        throw cause;
      }
    }
    const holder = Number(await readFile(path, "utf8").catch(() => ""));
    if (holder > 0 && !alive(holder)) {
      await unlink(path).catch(() => undefined);
      continue;
    }
    detail(`another process (${holder}) is at it`);
    await delay(500);
  }
}

/** True while a process with this id exists. */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === "EPERM";
  }
}
