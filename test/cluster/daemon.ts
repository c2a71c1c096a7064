import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Running } from "./process.ts";

/** What is remembered of a server that outlives the command that started it. */
type Known = { name: string; pid: number; startedAt: string };

/** Starts a server that goes on when we end; it is remembered in `folder` so that a later command can end it. */
export async function startDaemon(
  folder: string,
  name: string,
  program: string,
  args: string[],
): Promise<Running> {
  await mkdir(join(folder, "log"), { recursive: true });
  await mkdir(join(folder, "daemons"), { recursive: true });
  const logFile = join(folder, "log", `${name}.log`);
  const log = openSync(logFile, "a");
  const child = spawn(program, args, { detached: true, stdio: ["ignore", log, log], cwd: folder });
  closeSync(log);
  child.once("error", () => undefined);
  child.unref();
  if (child.pid === undefined) {
    throw new Error(`${program} could not be started`);
  }
  const known: Known = { name, pid: child.pid, startedAt: startTime(child.pid) ?? "" };
  await writeFile(join(folder, "daemons", `${name}.json`), JSON.stringify(known));
  return {
    pid: known.pid,
    logFile,
    running: () => runs(known),
    stop: (graceMs) => stopDaemon(folder, name, graceMs),
    kill: () => stopDaemon(folder, name, 0),
  };
}

/** The names of remembered servers, and whether each runs. */
export async function daemons(folder: string): Promise<Map<string, boolean>> {
  const files = await readdir(join(folder, "daemons")).catch(() => []);
  const known = await Promise.all(files.map((file) => recall(folder, file.replace(/\.json$/, ""))));
  return new Map(known.flatMap((found) => (found === undefined ? [] : [[found.name, runs(found)]])));
}

/** Ends a remembered server: SIGTERM, and SIGKILL after `graceMs`. Does nothing when it is gone already. */
export async function stopDaemon(folder: string, name: string, graceMs = 10_000): Promise<void> {
  const known = await recall(folder, name);
  if (known === undefined) {
    return;
  }
  const deadline = Date.now() + graceMs;
  signal(known, graceMs > 0 ? "SIGTERM" : "SIGKILL");
  while (runs(known)) {
    if (Date.now() > deadline) {
      signal(known, "SIGKILL");
    }
    await delay(50);
  }
  await rm(join(folder, "daemons", `${name}.json`), { force: true });
}

async function recall(folder: string, name: string): Promise<Known | undefined> {
  const text = await readFile(join(folder, "daemons", `${name}.json`), "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Known);
}

/** True while it is the very process we started: an id may since belong to another. */
function runs({ pid, startedAt }: Known): boolean {
  return startTime(pid) === startedAt;
}

function signal(known: Known, name: NodeJS.Signals): void {
  if (!runs(known)) {
    return;
  }
  try {
    process.kill(known.pid, name);
  } catch {
    // It ended between the two lines.
  }
}

/** When a process started, in clock ticks since boot; undefined when there is none or only its zombie. */
function startTime(pid: number): string | undefined {
  try {
    // The second field is the command in parentheses and may hold spaces; state is the 3rd, the start the 22nd field.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
