import type { BotConfig } from "../../crds/bot-config.ts";
import type { Logger } from "../../runtime/log.ts";
import { announcement } from "../announcement.ts";
import { watchConfigFile } from "./config-file.ts";

/** The configuration in force. */
export type ConfigFeed = {
  /** The last good one; undefined before the first, and without a file for ever. */
  latest(): BotConfig | undefined;
  /** Resolves with the one in force as soon as it is another than `previous`. */
  next(previous: BotConfig | undefined, signal: AbortSignal): Promise<BotConfig>;
  /** Resolves once the file was looked at for the first time: nobody may be served before, for it may forbid it. */
  looked: Promise<void>;
  close(): void;
};

/** Follows the mounted config.yaml; without one nothing is ever said. */
export function configFeed(path: string | undefined, log: Logger): ConfigFeed {
  let latest: BotConfig | undefined;
  const change = announcement();
  const onConfig = (config: BotConfig): void => {
    latest = config;
    change.tell();
  };
  const file = path === undefined ? undefined : watchConfigFile({ path, log, onConfig });
  return {
    latest: () => latest,
    async next(previous, signal) {
      for (;;) {
        signal.throwIfAborted();
        if (latest !== undefined && latest !== previous) {
          return latest;
        }
        await change.heard(signal);
      }
    },
    looked: file?.looked ?? Promise.resolve(),
    close: () => file?.close(),
  };
}
