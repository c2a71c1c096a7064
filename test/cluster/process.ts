import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { alive } from "./cache.ts";

/** Ends what it was told of (processes, then the folder) as soon as this process is gone, however it went. */
export type Guard = {
  watch(pid: number): void;
  forget(pid: number): void;
  /** Ends the guard itself: what it still watches is killed and the folder removed. */
  end(): Promise<void>;
};

// The guard reads commands from a pipe of ours: when we die, even by SIGKILL, the pipe ends and it does its duty.
const duty = `
pids=" "
while read -r verb pid; do
  case "$verb" in
    watch) pids="$pids$pid " ;;
    forget) pids="\${pids%% $pid *} \${pids#* $pid }" ;;
  esac
done
for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
sleep 0.2
rm -rf "$1"
`;

/** Starts a guard over the folder `folder`; needs nothing but a POSIX shell. */
export function guard(folder: string): Guard {
  const child = spawn("/bin/sh", ["-c", duty, "guard", folder], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.stdin.on("error", () => undefined);
  child.unref();
  const closed = once(child, "close");
  return {
    watch: (pid) => void child.stdin.write(`watch ${pid}\n`),
    forget: (pid) => void child.stdin.write(`forget ${pid}\n`),
    async end() {
      child.ref();
      child.stdin.end();
      await closed;
    },
  };
}

/** A server that runs beside us. */
export type Running = {
  pid: number;
  logFile: string;
  /** True until it ended. */
  running(): boolean;
  /** Asks it to end, and kills it when it has not within `graceMs`. */
  stop(graceMs?: number): Promise<void>;
  /** Ends it at once (SIGKILL). */
  kill(): Promise<void>;
};

/** Starts a server whose output goes to a file. */
export function start(
  program: string,
  args: string[],
  options: { logFile: string; guard?: Guard; env?: NodeJS.ProcessEnv },
): Running {
  const log = openSync(options.logFile, "a");
  const child = spawn(program, args, {
    stdio: ["ignore", log, log],
    ...(options.env === undefined ? {} : { env: options.env }),
  });
  closeSync(log);
  const pid = child.pid;
  if (pid === undefined) {
    // The error event follows and says why; without a listener it would crash the process before the caller can say it.
    child.once("error", () => undefined);
    throw new Error(`${program} could not be started`);
  }
  options.guard?.watch(pid);
  child.once("exit", () => options.guard?.forget(pid));
  child.unref();
  return {
    pid,
    logFile: options.logFile,
    running: () => child.exitCode === null && child.signalCode === null,
    stop: (graceMs = 10_000) => end(child, "SIGTERM", graceMs),
    kill: () => end(child, "SIGKILL", 10_000),
  };
}

async function end(child: ChildProcess, signal: NodeJS.Signals, graceMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return;
  }
  child.ref();
  const gone = once(child, "exit");
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
  await gone;
  clearTimeout(timer);
}

/** Waits until `ready` gives true; gives up when the server ends or after `timeoutMs`, with the last lines of its log. */
export async function until(
  what: string,
  server: Running,
  ready: () => Promise<boolean>,
  timeoutMs = 60_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await ready().catch(() => false))) {
    if (!server.running() || !alive(server.pid) || Date.now() > deadline) {
      const log = await readFile(server.logFile, "utf8").catch(() => "");
      const how = server.running() ? `did not within ${timeoutMs / 1000} s` : "ended instead";
      throw new Error(`${what} ${how}:\n${log.trimEnd().split("\n").slice(-12).join("\n")}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
