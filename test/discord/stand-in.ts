import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { actor } from "./actor.ts";
import { systemClock, type Clock } from "./clock.ts";
import type { DiscordDriver, Interaction, InteractionRecord } from "./driver.ts";
import { faults } from "./faults.ts";
import { interaction } from "./follow.ts";
import { gateway } from "./gateway.ts";
import type { InteractionEntry } from "./interaction-entry.ts";
import { interactions, type Interactions } from "./interactions.ts";
import { channelMessages } from "./messages.ts";
import { rateLimits } from "./rate-limits.ts";
import { rest } from "./rest.ts";
import { routes } from "./routes.ts";
import { stage } from "./stage.ts";
import { violationSink } from "./violations.ts";
import { emptyWorld, idOf, known, type World } from "./world.ts";

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

/** Answers an HTTP request outside Discord's API; false when it is none of its business. */
export type Aside = (request: IncomingMessage, response: ServerResponse) => boolean;

export type DiscordStandIn = DiscordDriver & {
  readonly gatewayUrl: string;
  readonly port: number;
  /** Adds a handler for requests outside Discord's API. */
  serve(aside: Aside): void;
};

/** Starts a Discord on this machine: REST v10, gateway v10 and the driver, on one port. */
export async function startDiscord(options: DiscordOptions = {}): Promise<DiscordStandIn> {
  const clock = options.clock ?? systemClock();
  const world = emptyWorld(clock, options.identifyTotal ?? 1_000);
  const violations = violationSink(clock);
  const injected = faults();
  const asides: Aside[] = [attachments(world)];
  let baseUrl = "";
  const gatewayUrl = () => `${baseUrl.replace(/^http/, "ws")}/gateway`;

  const lives = interactions(world);
  const socket = gateway(world, violations, {
    heartbeatIntervalMs: options.heartbeatIntervalMs ?? 41_250,
    identifyIntervalMs: options.identifyIntervalMs ?? 0,
    url: gatewayUrl,
  });
  const api = rest({
    world,
    routes: routes({ world, interactions: lives, gatewayUrl, baseUrl: () => baseUrl }),
    faults: injected,
    limits: options.rateLimits === false ? null : rateLimits(clock),
    violations,
  });

  const server = createServer((request, response) => {
    if (asides.some((aside) => aside(request, response))) return;
    api.handle(request, response);
  });
  server.on("upgrade", (request, stream, head) => socket.upgrade(request, stream, head));
  const port = await listen(server, options.port ?? 0, options.address ?? "127.0.0.1");
  baseUrl = (options.publicUrl ?? `http://127.0.0.1:${port}`).replace(/\/$/, "");

  const follow = (entry: InteractionEntry) => followed(clock, lives, entry);
  return {
    ...stage(world, socket, injected),
    apiUrl: `${baseUrl}/api`,
    gatewayUrl: gatewayUrl(),
    port,
    serve: (aside) => void asides.push(aside),
    as: (member) => actor({ world, interactions: lives, follow }, member),
    messages: async (channel) => channelMessages(known(world.channels, channel, "channel")),
    interaction(id) {
      const entry = lives.find(id);
      if (entry === undefined) throw new Error(`there is no interaction ${id}`);
      return follow(entry);
    },
    async journal({ method, path } = {}) {
      const pattern = path === undefined ? null : new RegExp(path);
      return api
        .journal()
        .filter((entry) => (method ?? entry.method) === entry.method && pattern?.test(entry.path) !== false);
    },
    violations: async () => violations.all(),
    invalidRequests: async () => api.invalidRequests(),
    sessions: async () => socket.sessions(),
    async close() {
      socket.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function listen(server: Server, port: number, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, address, () => resolve((server.address() as AddressInfo).port));
  });
}

function followed(clock: Clock, lives: Interactions, entry: InteractionEntry): Interaction {
  const now = () => lives.snapshot(entry);
  return interaction({
    id: entry.record.id,
    record: async () => now(),
    wait: (condition, timeoutMs) => watched(clock, entry, now, condition, timeoutMs),
  });
}

function watched(
  clock: Clock,
  entry: InteractionEntry,
  now: () => InteractionRecord,
  condition: (record: InteractionRecord) => boolean,
  timeoutMs: number,
): Promise<InteractionRecord> {
  return new Promise((resolve) => {
    const done = () => {
      entry.watchers.delete(look);
      cancel();
      resolve(now());
    };
    const look = () => {
      if (condition(now())) done();
    };
    const cancel = clock.after(timeoutMs, done);
    entry.watchers.add(look);
    look();
  });
}

/** Files of messages, as their URLs promise them. */
function attachments(world: World): Aside {
  return (request, response) => {
    const match = /^\/attachments\/(\d+)\//.exec(request.url ?? "");
    if (match === null) return false;
    const file = world.attachments.get(idOf(match[1] ?? ""));
    if (file === undefined) response.writeHead(404).end();
    else response.writeHead(200, { "content-type": file.type || "application/octet-stream" }).end(file.bytes);
    return true;
  };
}
