import type { WebSocket } from "ws";
import { packer, type Compression } from "./packer.ts";
import type { ApplicationRecord } from "./world.ts";

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

/** A session, which outlives its connection: what it heard last, and what it would have to be told again. */
export type Session = {
  id: string;
  application: ApplicationRecord;
  shard: [number, number];
  intents: number;
  sequence: number;
  replay: { sequence: number; text: string }[];
  resumes: number;
  connection: Connection | null;
  /** Takes back the end that a lost connection set. */
  keep: () => void;
};

export type Connection = {
  socket: WebSocket;
  pack: (text: string) => void;
  session: Session | null;
  /** Open, but deaf and mute. */
  frozen: boolean;
  heardAtMs: number;
  receivedAtMs: number[];
  cancelTimer: () => void;
};

export function newConnection(socket: WebSocket, compression: Compression, nowMs: number): Connection {
  return {
    socket,
    pack: packer(compression, (bytes) => socket.send(bytes)),
    session: null,
    frozen: false,
    heardAtMs: nowMs,
    receivedAtMs: [],
    cancelTimer: () => undefined,
  };
}

/** Sends a payload that is text already, unless the connection is mute or gone. */
export function write(connection: Connection, text: string): void {
  if (connection.frozen || connection.socket.readyState !== connection.socket.OPEN) return;
  connection.pack(text);
}

/** Sends what is no event: those carry no sequence number. */
export function send(connection: Connection, op: number, d: unknown): void {
  write(connection, JSON.stringify({ t: null, s: null, op, d }));
}
