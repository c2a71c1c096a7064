import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { GatewayDispatchEvents, GatewayIntentBits, GatewayOpcodes } from "discord-api-types/v10";
import { WebSocketServer, type WebSocket } from "ws";
import type { Application, GatewaySession, SessionTarget, Snowflake } from "./driver.ts";
import { apiUser, gatewayGuild } from "./objects.ts";
import { packer } from "./packer.ts";
import type { ViolationSink } from "./violations.ts";
import { idOf, newToken, type ApplicationRecord, type World } from "./world.ts";

/** Close codes of Discord's gateway. */
export const closeCode = {
  unknownOpcode: 4001,
  decodeError: 4002,
  notAuthenticated: 4003,
  authenticationFailed: 4004,
  alreadyAuthenticated: 4005,
  invalidSequence: 4007,
  rateLimited: 4008,
  sessionTimedOut: 4009,
  invalidShard: 4010,
  invalidVersion: 4012,
  invalidIntents: 4013,
  disallowedIntents: 4014,
} as const;

const privilegedIntents =
  GatewayIntentBits.GuildMembers | GatewayIntentBits.GuildPresences | GatewayIntentBits.MessageContent;
const everyIntent = Object.values(GatewayIntentBits)
  .filter((bit) => typeof bit === "number")
  .reduce((sum, bit) => sum | bit, 0);

/** Events kept for a session that may be resumed; a client further behind has to identify anew. */
const replayLimit = 10_000;
const resumableForMs = 300_000;
const sendLimit = { count: 120, windowMs: 60_000 };
const dayMs = 86_400_000;

type Session = {
  id: string;
  application: ApplicationRecord;
  shard: [number, number];
  intents: number;
  sequence: number;
  replay: { sequence: number; text: string }[];
  resumes: number;
  connection: Connection | null;
  forget: (() => void) | null;
};

type Connection = {
  socket: WebSocket;
  pack: (text: string) => void;
  session: Session | null;
  frozen: boolean;
  heardAtMs: number;
  sentAtMs: number[];
  timers: (() => void)[];
};

type Command = { op?: unknown; d?: unknown };

export type GatewayOptions = {
  heartbeatIntervalMs: number;
  identifyIntervalMs: number;
  /** Where clients reach the gateway: `ws://127.0.0.1:1234`. */
  url: () => string;
};

export type Gateway = {
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  sessions(): GatewaySession[];
  disconnect(target: SessionTarget & { code?: number }): void;
  reconnect(target: SessionTarget): void;
  invalidate(target: SessionTarget & { resumable?: boolean }): void;
  freeze(target: SessionTarget): void;
  /** Refuses new connections with 503. */
  setDown(down: boolean): void;
  /** How often each interaction is delivered to each session. */
  setDeliveries(count: number): void;
  /** Closes an application's sessions after its token changed. */
  tokenChanged(application: Application | ApplicationRecord): void;
  /** Tells an application's sessions that it was added to or removed from a guild. */
  joined(applicationId: Snowflake, guildId: Snowflake): void;
  left(applicationId: Snowflake, guildId: Snowflake): void;
  close(): void;
};

/** Refills a day's IDENTIFYs once the day is over. */
export function refreshLimit(world: World, application: ApplicationRecord): ApplicationRecord["limit"] {
  const { limit } = application;
  if (world.clock.nowMs() >= limit.resetAtMs) {
    limit.remaining = limit.total;
    limit.resetAtMs = world.clock.nowMs() + dayMs;
  }
  return limit;
}

function shardOf(guildId: Snowflake, count: number): number {
  return Number((BigInt(guildId) >> 22n) % BigInt(count));
}

/** The gateway over WebSocket: sessions, heartbeats, resumption, and its limits. */
export function gateway(world: World, violations: ViolationSink, options: GatewayOptions): Gateway {
  const { clock } = world;
  const server = new WebSocketServer({ noServer: true, maxPayload: 65_536 });
  const sessions = new Map<string, Session>();
  const connections = new Set<Connection>();
  let down = false;
  let deliveries = 1;

  const write = (connection: Connection, text: string) => {
    if (connection.frozen || connection.socket.readyState !== connection.socket.OPEN) return;
    connection.pack(text);
  };
  const send = (connection: Connection, op: number, d: unknown) =>
    write(connection, JSON.stringify({ t: null, s: null, op, d }));

  const emit = (session: Session, event: string, json: string) => {
    session.sequence += 1;
    const text = `{"t":"${event}","s":${session.sequence},"op":0,"d":${json}}`;
    session.replay.push({ sequence: session.sequence, text });
    if (session.replay.length > replayLimit) session.replay.shift();
    if (session.connection !== null) write(session.connection, text);
  };

  const forget = (session: Session) => {
    session.forget?.();
    session.forget = null;
    sessions.delete(session.id);
    if (session.connection !== null) session.connection.session = null;
    session.connection = null;
  };

  const close = (connection: Connection, code: number, reason: string) => {
    const fatal: number[] = [
      closeCode.sessionTimedOut,
      closeCode.invalidSequence,
      closeCode.authenticationFailed,
    ];
    if (connection.session !== null && fatal.includes(code)) forget(connection.session);
    connection.socket.close(code, reason);
  };

  const blame = (connection: Connection, code: number, reason: string, detail: unknown = null) => {
    violations.add("gateway", "WS", "/gateway", `${code} ${reason}`, detail);
    close(connection, code, reason);
  };

  world.dispatch = ({ guildId, intent, applicationId }, event, data) => {
    let json: string | undefined;
    const guild = world.guilds.get(guildId);
    for (const session of sessions.values()) {
      if (applicationId !== undefined && session.application.id !== applicationId) continue;
      if (guild === undefined || !guild.applications.has(session.application.id)) continue;
      if (intent !== 0 && (session.intents & intent) === 0) continue;
      if (shardOf(guildId, session.shard[1]) !== session.shard[0]) continue;
      json ??= JSON.stringify(data);
      const times = event === "INTERACTION_CREATE" ? deliveries : 1;
      for (let time = 0; time < times; time += 1) emit(session, event, json);
    }
  };

  const introduce = (session: Session, guildId: Snowflake) => {
    const guild = world.guilds.get(guildId);
    if (guild === undefined || (session.intents & GatewayIntentBits.Guilds) === 0) return;
    const all = (session.intents & GatewayIntentBits.GuildMembers) !== 0;
    const data = gatewayGuild(world, guild, session.application.id, all);
    emit(session, GatewayDispatchEvents.GuildCreate, JSON.stringify(data));
  };

  /** The guilds of an application that live on a shard. */
  const guildsOn = (application: ApplicationRecord, [index, count]: [number, number]) =>
    [...world.guilds.values()].filter(
      (guild) => guild.applications.has(application.id) && shardOf(guild.id, count) === index,
    );

  const ready = (session: Session) => {
    const { application, shard } = session;
    const mine = guildsOn(application, shard);
    const data = {
      v: 10,
      user: { ...apiUser(world, application.id), verified: true, mfa_enabled: true, email: null },
      user_settings: {},
      guilds: mine.map(({ id }) => ({ id, unavailable: true })),
      private_channels: [],
      relationships: [],
      presences: [],
      session_id: session.id,
      session_type: "normal",
      resume_gateway_url: `${options.url()}/resume`,
      shard,
      application: { id: application.id, flags: 0 },
      _trace: [],
    };
    emit(session, GatewayDispatchEvents.Ready, JSON.stringify(data));
    for (const guild of mine) introduce(session, guild.id);
  };

  const identify = (connection: Connection, d: Record<string, unknown>) => {
    const token = typeof d["token"] === "string" ? d["token"].replace(/^Bot /, "") : "";
    const application = [...world.applications.values()].find((found) => found.token === token);
    if (application === undefined) {
      return close(connection, closeCode.authenticationFailed, "Authentication failed.");
    }
    const { intents, properties } = d;
    if (
      typeof intents !== "number" ||
      !Number.isInteger(intents) ||
      (intents & ~everyIntent) !== 0 ||
      intents < 0
    ) {
      return blame(connection, closeCode.invalidIntents, "Invalid intent(s).", intents);
    }
    if ((intents & privilegedIntents & ~application.privilegedIntents) !== 0) {
      return close(connection, closeCode.disallowedIntents, "Disallowed intent(s).");
    }
    if (typeof properties !== "object" || properties === null) {
      return blame(
        connection,
        closeCode.decodeError,
        "Error while decoding payload.",
        "properties are missing",
      );
    }
    const shard = (d["shard"] ?? [0, 1]) as [number, number];
    if (!Array.isArray(shard) || shard.length !== 2 || !(shard[0] >= 0 && shard[0] < shard[1])) {
      return blame(connection, closeCode.invalidShard, "Invalid shard.", shard);
    }
    if (!spendIdentify(connection, application, shard)) return;
    if (d["compress"] === true) {
      connection.pack = packer("payload", (bytes) => connection.socket.send(bytes));
    }
    const session: Session = {
      id: randomBytes(16).toString("hex"),
      application,
      shard,
      intents,
      sequence: 0,
      replay: [],
      resumes: 0,
      connection,
      forget: null,
    };
    sessions.set(session.id, session);
    connection.session = session;
    ready(session);
  };

  /** Counts an IDENTIFY; false when it was refused. Who spends more than a day's worth loses the token. */
  const spendIdentify = (connection: Connection, application: ApplicationRecord, shard: [number, number]) => {
    const limit = refreshLimit(world, application);
    const bucket = shard[0] % limit.maxConcurrency;
    const now = clock.nowMs();
    const last = application.identifiedAtMs.get(bucket);
    if (limit.remaining <= 0) {
      violations.add(
        "gateway",
        "WS",
        "/gateway",
        "identified more often than session_start_limit allows",
        null,
      );
      application.token = newToken(application.id);
      tokenChanged(application);
      close(connection, closeCode.authenticationFailed, "Authentication failed.");
      return false;
    }
    limit.remaining -= 1;
    application.identifiedAtMs.set(bucket, now);
    if (last !== undefined && now - last < options.identifyIntervalMs) {
      send(connection, GatewayOpcodes.InvalidSession, false);
      return false;
    }
    return true;
  };

  const resume = (connection: Connection, d: Record<string, unknown>) => {
    const session = sessions.get(String(d["session_id"]));
    const token = typeof d["token"] === "string" ? d["token"].replace(/^Bot /, "") : "";
    const tokenKnown = [...world.applications.values()].some((found) => found.token === token);
    if (!tokenKnown) return close(connection, closeCode.authenticationFailed, "Authentication failed.");
    const sequence = d["seq"];
    if (session === undefined || session.application.token !== token) {
      return send(connection, GatewayOpcodes.InvalidSession, false);
    }
    if (typeof sequence !== "number" || sequence > session.sequence || sequence < 0) {
      return blame(connection, closeCode.invalidSequence, "Invalid seq.", sequence);
    }
    const missed = session.replay.filter((entry) => entry.sequence > sequence);
    if (missed.length < session.sequence - sequence) {
      forget(session);
      return send(connection, GatewayOpcodes.InvalidSession, false);
    }
    if (session.connection !== null) {
      session.connection.session = null;
      session.connection.socket.close(4000, "Resumed elsewhere.");
    }
    session.forget?.();
    session.forget = null;
    session.connection = connection;
    session.resumes += 1;
    connection.session = session;
    for (const { text } of missed) write(connection, text);
    emit(session, GatewayDispatchEvents.Resumed, JSON.stringify({ _trace: [] }));
  };

  const requestMembers = (session: Session, d: Record<string, unknown>) => {
    const guild = world.guilds.get(String(d["guild_id"]));
    if (guild === undefined) return;
    const wanted = d["user_ids"] === undefined ? null : [d["user_ids"]].flat().map(String);
    const chosen = [...guild.members.values()].filter(({ userId }) => wanted?.includes(userId) ?? true);
    const members = gatewayGuild(world, guild, session.application.id, true).members.filter(({ user }) =>
      chosen.some(({ userId }) => userId === user.id),
    );
    const data = { guild_id: guild.id, members, chunk_index: 0, chunk_count: 1, nonce: d["nonce"] };
    emit(session, GatewayDispatchEvents.GuildMembersChunk, JSON.stringify(data));
  };

  const hear = (connection: Connection, { op, d }: Command) => {
    const data = typeof d === "object" && d !== null ? (d as Record<string, unknown>) : {};
    const { session } = connection;
    if (op === GatewayOpcodes.Heartbeat) {
      connection.heardAtMs = clock.nowMs();
      if (session !== null && typeof d === "number") {
        session.replay = session.replay.filter(({ sequence }) => sequence > d);
      }
      return send(connection, GatewayOpcodes.HeartbeatAck, null);
    }
    if (op === GatewayOpcodes.Identify || op === GatewayOpcodes.Resume) {
      if (session !== null)
        return blame(connection, closeCode.alreadyAuthenticated, "Already authenticated.");
      return op === GatewayOpcodes.Identify ? identify(connection, data) : resume(connection, data);
    }
    if (session === null) return blame(connection, closeCode.notAuthenticated, "Not authenticated.", op);
    if (op === GatewayOpcodes.RequestGuildMembers) return requestMembers(session, data);
    if (op === GatewayOpcodes.PresenceUpdate || op === GatewayOpcodes.VoiceStateUpdate) return undefined;
    return blame(connection, closeCode.unknownOpcode, "Unknown opcode.", op);
  };

  const receive = (connection: Connection, raw: string) => {
    if (connection.frozen) return;
    const now = clock.nowMs();
    connection.sentAtMs = connection.sentAtMs.filter((at) => at > now - sendLimit.windowMs);
    connection.sentAtMs.push(now);
    if (connection.sentAtMs.length > sendLimit.count) {
      return blame(connection, closeCode.rateLimited, "You are being rate limited.");
    }
    if (raw.length > 4096)
      return blame(connection, closeCode.decodeError, "Error while decoding payload.", "over 4096 bytes");
    let command: Command;
    try {
      command = JSON.parse(raw) as Command;
    } catch {
      return blame(connection, closeCode.decodeError, "Error while decoding payload.", raw.slice(0, 200));
    }
    return hear(connection, command);
  };

  const lost = (connection: Connection, code: number) => {
    connections.delete(connection);
    for (const cancel of connection.timers) cancel();
    const { session } = connection;
    if (session === null) return;
    connection.session = null;
    session.connection = null;
    // A client that says goodbye with 1000 or 1001 gives its session up.
    if (code === 1000 || code === 1001) return forget(session);
    session.forget = clock.after(resumableForMs, () => forget(session));
    return undefined;
  };

  /** Closes a connection whose heartbeats stay away for one and a half intervals. */
  const watch = (connection: Connection) => {
    const patienceMs = options.heartbeatIntervalMs * 1.5;
    const look = () => {
      const silentMs = clock.nowMs() - connection.heardAtMs;
      if (connection.frozen || !connections.has(connection)) return;
      if (silentMs >= patienceMs) return close(connection, closeCode.sessionTimedOut, "Session timed out.");
      connection.timers = [clock.after(patienceMs - silentMs, look)];
    };
    connection.timers = [clock.after(patienceMs, look)];
  };

  const accept = (socket: WebSocket, url: URL) => {
    const compression = url.searchParams.get("compress") === "zlib-stream" ? "stream" : "none";
    const connection: Connection = {
      socket,
      pack: packer(compression, (bytes) => socket.send(bytes)),
      session: null,
      frozen: false,
      heardAtMs: clock.nowMs(),
      sentAtMs: [],
      timers: [],
    };
    connections.add(connection);
    socket.on("message", (data: Buffer) => receive(connection, data.toString("utf8")));
    socket.on("close", (code) => lost(connection, code));
    socket.on("error", () => socket.terminate());
    if ((url.searchParams.get("v") ?? "10") !== "10") {
      return blame(connection, closeCode.invalidVersion, "Invalid API version.", url.search);
    }
    if ((url.searchParams.get("encoding") ?? "json") !== "json") {
      return blame(connection, closeCode.decodeError, "Only JSON is spoken here.", url.search);
    }
    send(connection, GatewayOpcodes.Hello, { heartbeat_interval: options.heartbeatIntervalMs, _trace: [] });
    return watch(connection);
  };

  const aimed = (target: SessionTarget) =>
    [...sessions.values()].filter(
      (session) =>
        (target.application === undefined || session.application.id === idOf(target.application)) &&
        (target.sessions === undefined || target.sessions.includes(session.id)),
    );
  const each = (target: SessionTarget, act: (connection: Connection, session: Session) => void) => {
    for (const session of aimed(target)) if (session.connection !== null) act(session.connection, session);
  };

  const tokenChanged = ({ id }: { id: Snowflake }) => {
    for (const session of aimed({ application: id })) {
      if (session.connection === null) forget(session);
      else close(session.connection, closeCode.authenticationFailed, "Authentication failed.");
    }
  };

  return {
    upgrade(request, socket, head) {
      if (down) {
        socket.end("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        return;
      }
      const url = new URL(request.url ?? "/", "http://gateway");
      server.handleUpgrade(request, socket, head, (client) => accept(client, url));
    },
    sessions: () =>
      [...sessions.values()].map(({ id, application, shard, intents, sequence, resumes, connection }) => ({
        id,
        applicationId: application.id,
        shard,
        intents,
        connected: connection !== null,
        sequence,
        resumes,
      })),
    disconnect({ code, ...target }) {
      each(target, (connection) => {
        if (code === undefined) connection.socket.terminate();
        else close(connection, code, "Closed by the test.");
      });
    },
    reconnect(target) {
      each(target, (connection) => {
        send(connection, GatewayOpcodes.Reconnect, null);
        connection.timers.push(clock.after(10_000, () => connection.socket.close(4000, "Reconnect.")));
      });
    },
    invalidate({ resumable = false, ...target }) {
      each(target, (connection, session) => {
        send(connection, GatewayOpcodes.InvalidSession, resumable);
        if (!resumable) forget(session);
      });
    },
    freeze: (target) => each(target, (connection) => (connection.frozen = true)),
    setDown: (value) => (down = value),
    setDeliveries: (count) => (deliveries = count),
    tokenChanged,
    joined(applicationId, guildId) {
      for (const session of aimed({ application: applicationId })) {
        if (shardOf(guildId, session.shard[1]) === session.shard[0]) introduce(session, guildId);
      }
    },
    left(applicationId, guildId) {
      for (const session of aimed({ application: applicationId })) {
        if ((session.intents & GatewayIntentBits.Guilds) === 0) continue;
        emit(session, GatewayDispatchEvents.GuildDelete, JSON.stringify({ id: guildId }));
      }
    },
    close() {
      for (const { socket } of connections) socket.terminate();
      server.close();
    },
  };
}
