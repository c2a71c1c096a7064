import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Secret } from "../config.ts";
import type { TokenSource } from "./session.ts";

/**
 * The bot token, from the variable or its file. The file is read again every `pollMs`: kubelet swaps a mounted Secret
 * by a symbolic link, which watchers of a single file do not see.
 */
export function tokenSource(secret: Secret, pollMs = 2000): TokenSource {
  async function read(): Promise<string> {
    const text = "value" in secret ? secret.value : await readFile(secret.file, "utf8");
    const token = text.trim().replace(/^Bot\s+/i, "");
    if (token === "") {
      throw new Error("The bot token is empty");
    }
    return token;
  }

  return {
    read,
    async changed(from, signal) {
      for (;;) {
        await sleep(pollMs, undefined, { signal });
        const now = "value" in secret ? from : await read().catch(() => from);
        if (now !== from) {
          return;
        }
      }
    },
  };
}
