import type { RolloutSettings } from "./fleet.ts";

/** What the operator's own settings say about every guild. */
export type GuildSettings = {
  botImage: string;
  botImageCanary: string;
  postgresImage: string;
  /** Where bots find Discord; Discord itself when undefined. */
  discordApiUrl?: string | undefined;
  /** From where health and metrics of bots and databases may be read. */
  monitoringNamespace: string;
  /** Base URL of an OTLP/HTTP collector. */
  otlpEndpoint?: string | undefined;
  /** How fast new images go round; rolloutDefaults when undefined. */
  rollout?: RolloutSettings;
};
