import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { SessionState } from "./session-ending.ts";

/** How a command ended. */
export type CommandResult = "ok" | "refused" | "denied" | "failed" | "expired" | "lost";

export type BotMetrics = {
  command(path: string, result: CommandResult, seconds: number): void;
  /** How old an interaction was when it arrived, in seconds. */
  lag(seconds: number): void;
  outbox(kind: string, result: string): void;
  /** A message for another guild than ours. */
  foreign(): void;
  session(state: SessionState): void;
};

/** The bot's own metrics. */
export function botMetrics(registry: Registry): BotMetrics {
  const registers = [registry];
  const commands = new Counter({
    name: "dkp_commands_total",
    help: "Commands answered, by how they ended.",
    labelNames: ["command", "result"],
    registers,
  });
  const seconds = new Histogram({
    name: "dkp_command_duration_seconds",
    help: "From the arrival of an interaction to its answer.",
    labelNames: ["command"],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60],
    registers,
  });
  const lag = new Histogram({
    name: "dkp_event_lag_seconds",
    help: "From the making of an interaction by Discord to its arrival here.",
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3, 15, 60, 900],
    registers,
  });
  const outbox = new Counter({
    name: "dkp_outgoing_calls_total",
    help: "Attempts to deliver outgoing calls to Discord, by kind and result.",
    labelNames: ["kind", "result"],
    registers,
  });
  const foreign = new Counter({
    name: "dkp_foreign_guild_interactions_total",
    help: "Interactions of other guilds, which are not answered.",
    registers,
  });
  const connected = new Gauge({
    name: "dkp_discord_connected",
    help: "1 while the gateway session is up and the bot is in its guild.",
    registers,
  });
  return {
    command(path, result, duration) {
      commands.inc({ command: path, result });
      seconds.observe({ command: path }, duration);
    },
    lag: (value) => lag.observe(Math.max(0, value)),
    outbox: (kind, result) => outbox.inc({ kind, result }),
    foreign: () => foreign.inc(),
    session: (state) => connected.set(state === "Connected" ? 1 : 0),
  };
}
