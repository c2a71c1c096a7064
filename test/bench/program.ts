import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";

/** What the kernel says about a process: processor seconds since its start, memory in MB (10^6 bytes). */
export type Usage = { cpuSeconds: number; rssMb: number; peakMb: number };

/** A process of the bench, which measures others than itself. */
export type Program = {
  pid: number;
  usage(): Usage;
  /** The next message that `wanted` accepts, also one that came already. Throws when the process ends before. */
  message<T>(wanted: (message: Record<string, unknown>) => boolean, timeoutMs?: number): Promise<T>;
  /** The first JSON line of its output that `wanted` accepts. Throws when the process ends before. */
  line(
    wanted: (line: Record<string, unknown>) => boolean,
    timeoutMs?: number,
  ): Promise<Record<string, unknown>>;
  /** Resolves when it has ended by itself; throws when it failed. */
  ended(): Promise<void>;
  /** SIGTERM, then SIGKILL after ten seconds. */
  stop(): Promise<void>;
};

export type ProgramOptions = {
  args?: string[];
  nodeFlags?: string[];
  env?: Record<string, string>;
  /** Runs the file instead of Node; "itself" where the file is a program. */
  interpreter?: string;
};

type Said = Record<string, unknown>;

/** Clock ticks a second in /proc: fixed at 100 for user space on Linux. */
const ticksPerSecond = 100;

/** Starts a program, a Node program if nothing else is said, with an environment of nothing but what it is given. */
export function program(file: string, options: ProgramOptions = {}): Program {
  const { args = [], nodeFlags = [], interpreter = process.execPath } = options;
  const [command, ...before] = interpreter === "itself" ? [file] : [interpreter, ...nodeFlags, file];
  const child = spawn(command, [...before, ...args], {
    env: { PATH: process.env["PATH"] ?? "", ...options.env },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${file} could not be started`);
  const end = () => void child.kill("SIGKILL");
  process.once("exit", end);
  child.once("exit", () => process.off("exit", end));
  const output: string[] = [];
  const messages: Said[] = [];
  const lines: Said[] = [];
  child.on("message", (message) => messages.push(message as Said));
  follow(child, output, lines);
  const wait = (from: Said[], wanted: (said: Said) => boolean, timeoutMs: number) =>
    found(
      child,
      () => from.find(wanted),
      timeoutMs,
      () => `${file} ended or kept silent:\n${output.slice(-8).join("\n")}`,
    );
  return {
    pid,
    usage() {
      if (child.exitCode === null && child.signalCode === null) return usage(pid);
      throw new Error(
        `${file} ended with ${child.signalCode ?? child.exitCode}:\n${output.slice(-8).join("\n")}`,
      );
    },
    message: async <T>(wanted: (message: Said) => boolean, timeoutMs = 600_000) =>
      (await wait(messages, wanted, timeoutMs)) as T,
    line: (wanted, timeoutMs = 60_000) => wait(lines, wanted, timeoutMs),
    ended: async () => {
      if (child.exitCode === null) await once(child, "exit");
      if (child.exitCode !== 0) throw new Error(`${file} failed:\n${output.slice(-8).join("\n")}`);
    },
    stop: () => stop(child),
  };
}

function follow(child: ChildProcess, output: string[], lines: Said[]): void {
  for (const stream of [child.stdout, child.stderr]) {
    let rest = "";
    stream?.setEncoding("utf8").on("data", (text: string) => {
      const parts = `${rest}${text}`.split("\n");
      rest = parts.pop() ?? "";
      output.push(...parts);
      output.splice(0, output.length - 50);
      // Only the beginning is waited for; keeping more would only cost memory.
      if (lines.length < 200) lines.push(...parts.filter((part) => part.startsWith("{")).map(parsed));
    });
  }
}

function parsed(text: string): Said {
  try {
    return JSON.parse(text) as Said;
  } catch {
    return {};
  }
}

async function found<T>(
  child: ChildProcess,
  look: () => T | undefined,
  timeoutMs: number,
  failure: () => string,
): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const seen = look();
    if (seen !== undefined) return seen;
    if (child.exitCode !== null || child.signalCode !== null || performance.now() > endMs)
      throw new Error(failure());
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await gone;
  clearTimeout(timer);
}

/** Reads /proc, so it works on Linux only. */
function usage(pid: number): Usage {
  // The second field is the program's name in parentheses, which may hold spaces.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const mb = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) * 1.024e-3;
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
    rssMb: mb("VmRSS"),
    peakMb: mb("VmHWM"),
  };
}
