import { spawn } from "node:child_process";

/** What a finished command said. */
export type Output = { stdout: string; stderr: string };

export type CommandOptions = {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Text for its standard input. */
  input?: string;
  /** Called with each line of standard output and error as it comes. */
  onLine?: (line: string) => void;
  /** Ends the command with SIGKILL when it takes longer. */
  timeoutMs?: number;
};

/** Runs a program to its end; throws with the last lines of what it said when it does not end well. */
export function command(program: string, args: string[], options: CommandOptions = {}): Promise<Output> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ["pipe", "pipe", "pipe"],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs, killSignal: "SIGKILL" }),
    });
    const said: Output = { stdout: "", stderr: "" };
    const listen = (stream: "stdout" | "stderr"): void => {
      let rest = "";
      child[stream].setEncoding("utf8").on("data", (chunk: string) => {
        said[stream] += chunk;
        const lines = (rest + chunk).split("\n");
        rest = lines.pop() ?? "";
        lines.forEach((line) => options.onLine?.(line));
      });
    };
    listen("stdout");
    listen("stderr");
    child.on("error", (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === "ENOENT"
          ? new Error(`${program} is not installed`, { cause })
          : new Error(`${program} could not be started`, { cause }),
      ),
    );
    child.on("close", (code, signal) => {
      if (code === 0) {
        resolve(said);
        return;
      }
      const last = (said.stderr || said.stdout).trimEnd().split("\n").slice(-15).join("\n");
      const how = signal === null ? `with code ${code}` : `by ${signal}`;
      reject(new Error(`${[program, ...args.slice(0, 3)].join(" ")} … ended ${how}:\n${last}`));
    });
    // A command that never reads its input must not take the caller down with it.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
  });
}
