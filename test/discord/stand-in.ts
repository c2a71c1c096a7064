import type { Clock } from "./clock.ts";
import type { DiscordDriver } from "./driver.ts";

export type DiscordOptions = {
  /** Port of REST and gateway; any free one by default. */
  port?: number;
  /** Address to listen on, 127.0.0.1 by default. */
  address?: string;
  /** Base URL that clients reach it by, when it differs (behind a Service): `http://discord.dkp-system`. */
  publicUrl?: string;
  clock?: Clock;
  /** Milliseconds between heartbeats, 41,250 by default. */
  heartbeatIntervalMs?: number;
  /** Milliseconds between IDENTIFYs of one concurrency bucket: 5,000 at Discord; 0 by default, so that tests need not wait. */
  identifyIntervalMs?: number;
  /** IDENTIFYs a day, 1,000 by default. */
  identifyTotal?: number;
  /** Buckets of rate limits as Discord has them; off leaves only injected 429s. On by default. */
  rateLimits?: boolean;
};

export type DiscordStandIn = DiscordDriver & {
  readonly gatewayUrl: string;
  readonly port: number;
};

/** Starts a Discord on this machine: REST v10, gateway v10 and the driver, on one port. */
export function startDiscord(options: DiscordOptions = {}): Promise<DiscordStandIn> {
  return Promise.reject(new Error(`not built yet: ${JSON.stringify(options)}`));
}
