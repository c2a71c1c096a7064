import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { GatewayDispatchEvents, GatewayIntentBits, GatewayOpcodes } from "discord-api-types/v10";
import { WebSocketServer, type WebSocket } from "ws";
import { closeCode, newConnection, send, type Connection, type Session } from "./connection.ts";
import type { GatewaySession, SessionTarget, Snowflake } from "./driver.ts";
import { owner, readIdentify, spendIdentify } from "./identify.ts";
import { apiMember } from "./objects.ts";
import { packer } from "./packer.ts";
import { sessions, shardOf, type Sessions } from "./sessions.ts";
import type { ViolationSink } from "./violations.ts";
import { newToken, type World } from "./world.ts";

const sendLimit = { count: 120, windowMs: 60_000 };
const maxPayloadBytes = 4_096;
const reconnectPatienceMs = 10_000;

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
  tokenChanged(application: { id: Snowflake }): void;
  /** Tells an application's sessions that it was added to or removed from a guild. */
  joined(applicationId: Snowflake, guildId: Snowflake): void;
  left(applicationId: Snowflake, guildId: Snowflake): void;
  close(): void;
};

type Context = {
  world: World;
  violations: ViolationSink;
  options: GatewayOptions;
  known: Sessions;
  open: Set<Connection>;
};

/** The gateway over WebSocket: sessions, heartbeats, resumption, and its limits. */
export function gateway(world: World, violations: ViolationSink, options: GatewayOptions): Gateway {
  const server = new WebSocketServer({ noServer: true, maxPayload: 65_536 });
  const known = sessions(world, () => `${options.url()}/resume`);
  const context: Context = { world, violations, options, known, open: new Set() };
  let down = false;

  const each = (target: SessionTarget, act: (connection: Connection, session: Session) => void) => {
    for (const session of known.aimed(target)) {
      if (session.connection !== null) act(session.connection, session);
    }
  };

  return {
    upgrade(request, socket, head) {
      if (down) {
        socket.end("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        return;
      }
      const url = new URL(request.url ?? "/", "http://gateway");
      server.handleUpgrade(request, socket, head, (client) => accept(context, client, url));
    },
    sessions: () => known.all().map(shown),
    disconnect({ code, ...target }) {
      each(target, (connection) => {
        if (code === undefined) connection.socket.terminate();
        else close(context, connection, code, "Closed by the test.");
      });
    },
    reconnect(target) {
      each(target, (connection) => {
        send(connection, GatewayOpcodes.Reconnect, null);
        world.clock.after(reconnectPatienceMs, () => connection.socket.close(4000, "Reconnect."));
      });
    },
    invalidate({ resumable = false, ...target }) {
      each(target, (connection, session) => {
        send(connection, GatewayOpcodes.InvalidSession, resumable);
        if (!resumable) known.forget(session);
      });
    },
    freeze: (target) => each(target, (connection) => (connection.frozen = true)),
    setDown: (value) => (down = value),
    setDeliveries: known.setDeliveries,
    tokenChanged: ({ id }) => endSessions(context, id),
    joined(applicationId, guildId) {
      for (const session of known.aimed({ application: applicationId })) {
        if (shardOf(guildId, session.shard[1]) === session.shard[0]) known.introduce(session, guildId);
      }
    },
    left(applicationId, guildId) {
      for (const session of known.aimed({ application: applicationId })) {
        if ((session.intents & GatewayIntentBits.Guilds) === 0) continue;
        known.emit(session, GatewayDispatchEvents.GuildDelete, { id: guildId });
      }
    },
    close() {
      for (const { socket } of context.open) socket.terminate();
      server.close();
    },
  };
}

function shown({ id, application, shard, intents, sequence, resumes, connection }: Session): GatewaySession {
  const connected = connection !== null;
  return { id, applicationId: application.id, shard, intents, connected, sequence, resumes };
}

/** Ends a connection; some codes end the session with it. */
function close({ known }: Context, connection: Connection, code: number, reason: string): void {
  const fatal: number[] = [
    closeCode.sessionTimedOut,
    closeCode.invalidSequence,
    closeCode.authenticationFailed,
  ];
  if (connection.session !== null && fatal.includes(code)) known.forget(connection.session);
  connection.socket.close(code, reason);
}

/** Ends a connection over something that a correct program does not do. */
function blame(
  context: Context,
  connection: Connection,
  code: number,
  reason: string,
  detail: unknown = null,
): void {
  context.violations.add("gateway", "WS", "/gateway", `${code} ${reason}`, detail);
  close(context, connection, code, reason);
}

function endSessions(context: Context, applicationId: Snowflake): void {
  for (const session of context.known.aimed({ application: applicationId })) {
    if (session.connection === null) context.known.forget(session);
    else close(context, session.connection, closeCode.authenticationFailed, "Authentication failed.");
  }
}

function accept(context: Context, socket: WebSocket, url: URL): void {
  const { world, options, open } = context;
  const stream = url.searchParams.get("compress") === "zlib-stream";
  const connection = newConnection(socket, stream ? "stream" : "none", world.clock.nowMs());
  open.add(connection);
  socket.on("message", (data: Buffer) => receive(context, connection, data.toString("utf8")));
  socket.on("close", (code) => lost(context, connection, code));
  socket.on("error", () => socket.terminate());
  if ((url.searchParams.get("v") ?? "10") !== "10") {
    blame(context, connection, closeCode.invalidVersion, "Invalid API version.", url.search);
  } else if ((url.searchParams.get("encoding") ?? "json") !== "json") {
    blame(context, connection, closeCode.decodeError, "Only JSON is spoken here.", url.search);
  } else {
    const interval = options.heartbeatIntervalMs;
    send(connection, GatewayOpcodes.Hello, { heartbeat_interval: interval, _trace: [] });
    watch(context, connection);
  }
}

/** Closes a connection whose heartbeats stay away for one and a half intervals. */
function watch(context: Context, connection: Connection): void {
  const { clock } = context.world;
  const patienceMs = context.options.heartbeatIntervalMs * 1.5;
  const look = () => {
    const silentMs = clock.nowMs() - connection.heardAtMs;
    if (connection.frozen) return;
    if (silentMs >= patienceMs) {
      close(context, connection, closeCode.sessionTimedOut, "Session timed out.");
    } else {
      connection.cancelTimer = clock.after(patienceMs - silentMs, look);
    }
  };
  connection.cancelTimer = clock.after(patienceMs, look);
}

function lost({ known, open }: Context, connection: Connection, code: number): void {
  open.delete(connection);
  connection.cancelTimer();
  const { session } = connection;
  if (session === null) return;
  connection.session = null;
  // A client that says goodbye with 1000 or 1001 gives its session up.
  if (code === 1000 || code === 1001) known.forget(session);
  else known.lost(session);
}

function receive(context: Context, connection: Connection, raw: string): void {
  if (connection.frozen) return;
  const now = context.world.clock.nowMs();
  connection.receivedAtMs = connection.receivedAtMs.filter((at) => at > now - sendLimit.windowMs);
  connection.receivedAtMs.push(now);
  if (connection.receivedAtMs.length > sendLimit.count) {
    return blame(context, connection, closeCode.rateLimited, "You are being rate limited.");
  }
  const garbled = (detail: string) =>
    blame(context, connection, closeCode.decodeError, "Error while decoding payload.", detail);
  if (raw.length > maxPayloadBytes) return garbled(`over ${maxPayloadBytes} bytes`);
  let command: { op?: unknown; d?: unknown };
  try {
    command = JSON.parse(raw) as { op?: unknown; d?: unknown };
  } catch {
    return garbled(raw.slice(0, 200));
  }
  return obey(context, connection, command.op, command.d);
}

function obey(context: Context, connection: Connection, op: unknown, d: unknown): void {
  const data = typeof d === "object" && d !== null ? (d as Record<string, unknown>) : {};
  const { session } = connection;
  if (op === GatewayOpcodes.Heartbeat) {
    connection.heardAtMs = context.world.clock.nowMs();
    if (session !== null && typeof d === "number") {
      session.replay = session.replay.filter(({ sequence }) => sequence > d);
    }
    send(connection, GatewayOpcodes.HeartbeatAck, null);
  } else if (op === GatewayOpcodes.Identify || op === GatewayOpcodes.Resume) {
    if (session !== null) {
      blame(context, connection, closeCode.alreadyAuthenticated, "Already authenticated.");
    } else if (op === GatewayOpcodes.Identify) identify(context, connection, data);
    else resume(context, connection, data);
  } else if (session === null) {
    blame(context, connection, closeCode.notAuthenticated, "Not authenticated.", op);
  } else if (op === GatewayOpcodes.RequestGuildMembers) requestMembers(context, session, data);
  else if (op !== GatewayOpcodes.PresenceUpdate && op !== GatewayOpcodes.VoiceStateUpdate) {
    blame(context, connection, closeCode.unknownOpcode, "Unknown opcode.", op);
  }
}

function identify(context: Context, connection: Connection, d: Record<string, unknown>): void {
  const { world, known, violations } = context;
  const read = readIdentify(world, d);
  if ("code" in read) {
    const end = read.blame ? blame : close;
    return end(context, connection, read.code, read.reason, read.detail);
  }
  const spent = spendIdentify(world, read, context.options.identifyIntervalMs);
  if (spent === "early") return send(connection, GatewayOpcodes.InvalidSession, false);
  if (spent === "spent") {
    // Discord resets the token of a bot that identifies more often than it may.
    const message = "identified more often than session_start_limit allows";
    violations.add("gateway", "WS", "/gateway", message, null);
    read.application.token = newToken(read.application.id);
    endSessions(context, read.application.id);
    return close(context, connection, closeCode.authenticationFailed, "Authentication failed.");
  }
  if (d["compress"] === true) {
    connection.pack = packer("payload", (bytes) => connection.socket.send(bytes));
  }
  return known.open(connection, read);
}

function resume(context: Context, connection: Connection, d: Record<string, unknown>): void {
  const { known, world } = context;
  const application = owner(world, d);
  if (application === undefined) {
    return close(context, connection, closeCode.authenticationFailed, "Authentication failed.");
  }
  const session = known.find(String(d["session_id"]));
  if (session === undefined || session.application !== application) {
    return send(connection, GatewayOpcodes.InvalidSession, false);
  }
  const sequence = d["seq"];
  if (typeof sequence !== "number" || sequence > session.sequence || sequence < 0) {
    return blame(context, connection, closeCode.invalidSequence, "Invalid seq.", sequence);
  }
  if (known.resume(session, connection, sequence)) return undefined;
  known.forget(session);
  return send(connection, GatewayOpcodes.InvalidSession, false);
}

function requestMembers({ world, known }: Context, session: Session, d: Record<string, unknown>): void {
  const guild = world.guilds.get(String(d["guild_id"]));
  if (guild === undefined) return;
  const wanted = d["user_ids"] === undefined ? null : [d["user_ids"]].flat().map(String);
  const members = [...guild.members.values()]
    .filter(({ userId }) => wanted?.includes(userId) !== false)
    .map((member) => apiMember(world, member));
  const data = { guild_id: guild.id, members, chunk_index: 0, chunk_count: 1, nonce: d["nonce"] };
  known.emit(session, GatewayDispatchEvents.GuildMembersChunk, data);
}
