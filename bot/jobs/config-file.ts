import { watch, type FSWatcher } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { parse } from "yaml";
import { botConfigSchema, type BotConfig } from "../../crds/bot-config.ts";
import type { Logger } from "../../runtime/log.ts";

/** `looked` resolves once the file was looked at for the first time, whether it was usable or not. */
export type ConfigFile = { looked: Promise<void>; close(): void };

/**
 * Reads the mounted config.yaml now and whenever it changes, and hands every valid state that differs from the last one
 * to `onConfig`. A state that cannot be read is logged and changes nothing: the last good one stays in force.
 *
 * kubelet swaps the whole directory by a symbolic link (`..data`), so the directory is watched, not the file; where
 * watching is not possible or events are lost, a look every `pollMs` finds the change too.
 */
export function watchConfigFile(options: {
  path: string;
  onConfig(config: BotConfig): void;
  log: Logger;
  pollMs?: number;
}): ConfigFile {
  let last: string | undefined;
  let faulty: string | undefined;

  async function look(): Promise<void> {
    try {
      const text = await readFile(options.path, "utf8");
      if (text === last || text === faulty) {
        return;
      }
      faulty = text;
      const config = botConfigSchema.parse(parse(text) ?? {});
      last = text;
      faulty = undefined;
      options.onConfig(config);
    } catch (error) {
      options.log.error(
        { err: error, path: options.path },
        "config file is not usable, keeping the last good one",
      );
    }
  }

  const looked = look();
  let looking = looked;
  const again = () => {
    looking = looking.then(look);
  };
  const timer = setInterval(again, options.pollMs ?? 10_000);
  timer.unref();
  const watcher = directoryWatcher(dirname(options.path), again, options.log);
  return {
    looked,
    close() {
      clearInterval(timer);
      watcher?.close();
    },
  };
}

function directoryWatcher(directory: string, onChange: () => void, log: Logger): FSWatcher | undefined {
  try {
    const watcher = watch(directory, { persistent: false }, onChange);
    watcher.on("error", (error) =>
      log.warn({ err: error }, "watching the config directory ended, polling it"),
    );
    return watcher;
  } catch (error) {
    log.warn({ err: error, directory }, "the config directory cannot be watched, polling it");
    return undefined;
  }
}
