import { setTimeout as sleep } from "node:timers/promises";
import type { APIInteraction, REST } from "discord.js";
import { Client, GatewayDispatchEvents, GatewayIntentBits, Options } from "./discord-js.ts";
import type { Logger } from "../../runtime/log.ts";
import { emptiedCaches, stripped } from "./caches.ts";
import type { IdentifyGate } from "./identify.ts";
import { destroyed, overlapping } from "./session-overlap.ts";
import {
  closed,
  unreadable,
  verdict,
  type Ending,
  type SessionState,
  type SessionStatus,
} from "./session-ending.ts";

/** The bot token as it is now; `changed` resolves when it becomes another one. */
export type TokenSource = {
  read(): Promise<string>;
  changed(from: string, signal: AbortSignal): Promise<void>;
};

export type DiscordSession = {
  status(): SessionStatus;
  /** The REST client with the token in use; undefined while there is no usable token. */
  rest(): REST | undefined;
  applicationId(): string | undefined;
  /** Resolves when the session is closed. */
  stop(): Promise<void>;
};

export type SessionOptions = {
  guildId: string;
  apiUrl: string;
  token: TokenSource;
  identify: IdentifyGate;
  onInteraction(payload: APIInteraction): void;
  onStatus(status: SessionStatus): void;
  log: Logger;
};

/**
 * Holds a gateway session and keeps holding one. Never throws and never ends the process: what Discord refuses becomes a
 * state that is reported, and is tried again slowly or when the token changes.
 */
export function discordSession(options: SessionOptions): DiscordSession {
  const stopping = new AbortController();
  const overlap = overlapping(options.onInteraction);
  let current: Client | undefined;
  let applicationId: string | undefined;
  const status = statusBoard(options);
  const { report } = status;

  async function once(failures: number): Promise<Ending> {
    const token = await options.token.read();
    const client = newClient(options);
    current = overlap.former() ?? client;
    const ended = new AbortController();
    const signal = AbortSignal.any([stopping.signal, ended.signal]);
    let ending: Ending | undefined;
    try {
      ending = await Promise.race([
        lived({ client, token, options, report, onApplication, onInteraction: overlap.receive, signal }),
        changedToken(options.token, token, signal),
        stopped(stopping.signal),
      ]);
      return ending;
    } catch (error) {
      return verdict(error, failures);
    } finally {
      ended.abort();
      if (ending?.handsOver === true && current === client && isUp(status.now().state)) {
        overlap.keep(client);
      } else {
        current = overlap.former();
        await destroyed(client);
      }
    }

    function onApplication(id: string): void {
      applicationId = id;
      current = client;
      if (overlap.former() !== undefined) {
        // Told again although the state is the same: the application may be another one.
        status.forget();
        void overlap.end();
      }
    }
  }

  async function hold(): Promise<void> {
    let failures = 0;
    while (!stopping.signal.aborted) {
      const ending = await once(failures).catch((error: unknown) => unreadable(error));
      if (stopping.signal.aborted) {
        return;
      }
      reportEnding(ending, overlap.former() !== undefined, report);
      failures = ending.reset ? 0 : failures + 1;
      await pause(options.token, ending.retryAfterMs, stopping.signal);
    }
  }

  const held = hold();
  return {
    status: () => status.now(),
    rest: () => (isFault(status.now().state) && overlap.former() === undefined ? undefined : current?.rest),
    applicationId: () => applicationId,
    async stop() {
      stopping.abort();
      await held;
      await overlap.end();
    },
  };
}

/** The status as it was told last; what does not change is not told again. */
function statusBoard({ log, onStatus }: SessionOptions) {
  let status: SessionStatus = { state: "Connecting", message: "The session with Discord is being opened." };
  return {
    now: () => status,
    forget: () => void (status = { state: "Connecting", message: "" }),
    report(this: void, next: SessionStatus): void {
      if (next.state === status.state && next.message === status.message) {
        return;
      }
      status = next;
      const level = next.state === "Connected" || next.state === "Connecting" ? "info" : "warn";
      log[level]({ state: next.state }, next.message);
      onStatus(next);
    },
  };
}

/** A session that hands over to the next one has not ended for anybody outside. */
function reportEnding(ending: Ending, overlaps: boolean, report: (status: SessionStatus) => void): void {
  const { state, message } = ending;
  if (!overlaps) {
    report({ state, message });
  } else if (ending.handsOver !== true) {
    const goesOn = "The session with the token before goes on as long as Discord lets it.";
    report({ state, message: `${message} ${goesOn}` });
  }
}

function isUp(state: SessionState): boolean {
  return state === "Connected" || state === "NotInGuild";
}

function isFault(state: SessionState): boolean {
  return state === "TokenInvalid" || state === "IntentsRefused";
}

function newClient(options: SessionOptions): Client {
  const client = new Client({
    intents: GatewayIntentBits.Guilds,
    makeCache: Options.cacheWithLimits(emptiedCaches),
    sweepers: {},
    rest: { api: options.apiUrl.replace(/\/+$/, ""), handlerSweepInterval: 300_000, retries: 3 },
    ws: {
      large_threshold: 50,
      version: 10,
      buildIdentifyThrottler: async (manager) => ({
        waitForIdentify: (_shard, signal) =>
          options.identify.wait(() => manager.fetchGatewayInformation(true), signal),
      }),
    },
  });
  client.on("error", (error) => options.log.warn({ err: error }, "discord client error"));
  client.on("debug", (line) => options.log.trace({ line }, "discord.js"));
  return client;
}

/** Resolves only with the end of a session that Discord will not let be resumed; network trouble is mended inside. */
async function lived({
  client,
  token,
  options,
  signal,
  ...life
}: {
  client: Client;
  token: string;
  options: SessionOptions;
  report(status: SessionStatus): void;
  onApplication(id: string): void;
  onInteraction(payload: APIInteraction): void;
  /** Aborted when another session takes over or all ends. */
  signal: AbortSignal;
}): Promise<Ending> {
  const report = (status: SessionStatus) => (signal.aborted ? undefined : life.report(status));
  const fatal = new Promise<Ending>((resolve) => {
    client.on("shardDisconnect", ({ code }) => resolve(closed(code)));
  });
  client.on("shardError", (error) => options.log.debug({ err: error }, "gateway connection error"));
  client.on("shardReconnecting", () => {
    report({
      state: "Connecting",
      message: "The connection to Discord was lost and is being opened again.",
    });
  });
  const inGuild = () => report({ state: "Connected", message: "Connected to Discord." });
  const notInGuild = () =>
    report({
      state: "NotInGuild",
      message: `The bot is not a member of guild ${options.guildId}: invite it with the scopes bot and applications.commands.`,
    });
  let present = false;
  client.on("shardResume", () => (present ? inGuild() : notInGuild()));
  const dispatches: Record<string, (packet: GatewayPacket) => void> = {
    [GatewayDispatchEvents.InteractionCreate](packet) {
      life.onInteraction(packet.d as APIInteraction);
      packet.t = "INTERACTION_TAKEN"; // Taken as it is: discord.js need not build objects and caches from it.
    },
    [GatewayDispatchEvents.Ready](packet) {
      const ready = packet.d as { application: { id: string }; guilds: { id: string }[] };
      life.onApplication(ready.application.id);
      present = ready.guilds.some(({ id }) => id === options.guildId);
      (present ? inGuild : notInGuild)();
    },
    [GatewayDispatchEvents.GuildCreate](packet) {
      if ((packet.d as { id: string }).id === options.guildId && !present) {
        present = true;
        inGuild();
      }
      stripped(packet.d as Record<string, unknown>);
    },
    [GatewayDispatchEvents.GuildUpdate]: ({ d }) => stripped(d as Record<string, unknown>),
    [GatewayDispatchEvents.GuildDelete](packet) {
      const { id, unavailable } = packet.d as { id: string; unavailable?: boolean };
      if (id === options.guildId && unavailable !== true) {
        present = false;
        notInGuild();
      }
    },
  };
  client.on("raw", (packet: GatewayPacket) => dispatches[packet.t]?.(packet));
  await Promise.race([client.login(token), fatal]);
  return fatal;
}

type GatewayPacket = { t: string; d: unknown };

async function changedToken(source: TokenSource, token: string, signal: AbortSignal): Promise<Ending> {
  await source.changed(token, signal);
  return {
    state: "Connecting",
    message: "The token changed: the session is opened again with the new one.",
    retryAfterMs: 0,
    reset: true,
    handsOver: true,
  };
}

function stopped(signal: AbortSignal): Promise<Ending> {
  return new Promise((resolve) => {
    signal.addEventListener(
      "abort",
      () =>
        resolve({
          state: "Connecting",
          message: "The session is being closed.",
          retryAfterMs: 0,
          reset: true,
        }),
      { once: true },
    );
  });
}

/** Waits, but no longer than until the token is another one. */
async function pause(source: TokenSource, waitMs: number, stop: AbortSignal): Promise<void> {
  const over = new AbortController();
  const signal = AbortSignal.any([stop, over.signal]);
  const token = await source.read().catch(() => "");
  await Promise.race([
    sleep(waitMs, undefined, { signal }).catch(() => undefined),
    source.changed(token, signal).catch(() => undefined),
  ]);
  over.abort();
}
