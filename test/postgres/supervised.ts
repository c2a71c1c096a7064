import { spawn } from "node:child_process";
import { once } from "node:events";

/**
 * Runs PostgreSQL below a shell that ends it and removes its folder once this process is gone, however it went: the
 * shell waits for the end of its standard input.
 */
const script = `
folder=$1; shift
exec 3<&0
"$@" </dev/null &
server=$!
(
  read -r signal <&3
  [ -n "$signal" ] || touch "$folder.orphaned"
  kill -s "\${signal:-QUIT}" $server 2>/dev/null
) &
watcher=$!
wait $server
code=$?
if [ -e "$folder.orphaned" ]; then rm -rf "$folder" "$folder.orphaned"; fi
kill $watcher 2>/dev/null
exit $code
`;

export type Supervised = {
  /** Everything it has written. */
  output(): string;
  /** Resolves with its exit code, or null when a signal ended it. */
  readonly exited: Promise<number | null>;
  /** Sends a signal, by its name without SIG, and waits for the end. */
  end(signal: "INT" | "QUIT" | "KILL"): Promise<void>;
};

/** Starts `command` as an unprivileged user when this process is root. `folder` is removed if this process dies. */
export function supervised(
  folder: string,
  command: readonly string[],
  user: { uid?: number; gid?: number },
): Supervised {
  const shell = spawn("/bin/sh", ["-c", script, "postgres", folder, ...command], {
    ...user,
    cwd: "/",
    // Ctrl-C goes to the foreground group: the server is ended by us, in order.
    detached: true,
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let output = "";
  const collect = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-20_000);
  };
  shell.stdout.on("data", collect);
  shell.stderr.on("data", collect);
  shell.stdin.on("error", () => undefined);
  // Not "exit": every backend holds the output too, and after a kill of the postmaster they end a moment later.
  const exited = once(shell, "close").then(([code]) => code as number | null);
  return {
    output: () => output,
    exited,
    async end(signal) {
      shell.stdin.write(`${signal}\n`);
      await exited;
    },
  };
}
