import { randomBytes } from "node:crypto";
import { GatewayDispatchEvents, GatewayIntentBits } from "discord-api-types/v10";
import { write, type Connection, type Session } from "./connection.ts";
import type { SessionTarget, Snowflake } from "./driver.ts";
import { apiUser, gatewayGuild } from "./objects.ts";
import { idOf, type ApplicationRecord, type World } from "./world.ts";

/** Events kept for a session that may be resumed; a client further behind has to identify anew. */
const replayLimit = 10_000;
const resumableForMs = 300_000;

export type Identity = { application: ApplicationRecord; shard: [number, number]; intents: number };

export type Sessions = {
  all(): Session[];
  /** The sessions that a test aims at; all of them without a target. */
  aimed(target: SessionTarget): Session[];
  find(id: string): Session | undefined;
  /** Opens a session and tells it READY and its guilds. */
  open(connection: Connection, identity: Identity): void;
  /** Gives a session to another connection, with all that it missed since a sequence; false when that is no longer known. */
  resume(session: Session, connection: Connection, sequence: number): boolean;
  /** A connection is gone: its session can be resumed for a while. */
  lost(session: Session): void;
  forget(session: Session): void;
  emit(session: Session, event: string, data: unknown): void;
  /** Tells a session of a guild that it serves. */
  introduce(session: Session, guildId: Snowflake): void;
  /** How often each interaction is delivered to each session. */
  setDeliveries(count: number): void;
};

export function shardOf(guildId: Snowflake, count: number): number {
  return Number((BigInt(guildId) >> 22n) % BigInt(count));
}

/** Sends an event to a session, or keeps it for when it resumes. */
function emitText(session: Session, event: string, json: string): void {
  session.sequence += 1;
  const text = `{"t":"${event}","s":${session.sequence},"op":0,"d":${json}}`;
  session.replay.push({ sequence: session.sequence, text });
  if (session.replay.length > replayLimit) session.replay.shift();
  if (session.connection !== null) write(session.connection, text);
}

function emit(session: Session, event: string, data: unknown): void {
  emitText(session, event, JSON.stringify(data));
}

/** The sessions of the gateway; what the world dispatches reaches them from here. */
export function sessions(world: World, resumeUrl: () => string): Sessions {
  const open = new Map<string, Session>();
  let deliveries = 1;

  const forget = (session: Session) => {
    session.keep();
    open.delete(session.id);
    if (session.connection !== null) session.connection.session = null;
    session.connection = null;
  };

  const introduce = (session: Session, guildId: Snowflake) => {
    const guild = world.guilds.get(guildId);
    if (guild === undefined || (session.intents & GatewayIntentBits.Guilds) === 0) return;
    const all = (session.intents & GatewayIntentBits.GuildMembers) !== 0;
    const data = gatewayGuild(world, guild, session.application.id, all);
    emit(session, GatewayDispatchEvents.GuildCreate, data);
  };

  world.dispatch = ({ guildId, intent, applicationId }, event, data) => {
    const guild = world.guilds.get(guildId);
    const concerned = [...open.values()].filter(
      ({ application, intents, shard: [index, count] }) =>
        (applicationId ?? application.id) === application.id &&
        guild?.applications.has(application.id) === true &&
        (intent === 0 || (intents & intent) !== 0) &&
        shardOf(guildId, count) === index,
    );
    if (concerned.length === 0) return;
    const json = JSON.stringify(data);
    const times = event === "INTERACTION_CREATE" ? deliveries : 1;
    for (const session of concerned) {
      for (let time = 0; time < times; time += 1) emitText(session, event, json);
    }
  };

  return {
    all: () => [...open.values()],
    aimed: (target) =>
      [...open.values()].filter(
        ({ id, application }) =>
          (target.application === undefined || application.id === idOf(target.application)) &&
          target.sessions?.includes(id) !== false,
      ),
    find: (id) => open.get(id),
    open(connection, identity) {
      const id = randomBytes(16).toString("hex");
      const fresh = { id, sequence: 0, replay: [], resumes: 0, connection, keep: () => undefined };
      const session: Session = { ...fresh, ...identity };
      open.set(id, session);
      connection.session = session;
      const mine = guildsOn(world, session);
      emit(session, GatewayDispatchEvents.Ready, ready(world, session, mine, resumeUrl()));
      for (const guildId of mine) introduce(session, guildId);
    },
    resume(session, connection, sequence) {
      const missed = session.replay.filter((entry) => entry.sequence > sequence);
      if (missed.length < session.sequence - sequence) return false;
      if (session.connection !== null) {
        session.connection.session = null;
        session.connection.socket.close(4000, "Resumed elsewhere.");
      }
      session.keep();
      session.connection = connection;
      session.resumes += 1;
      connection.session = session;
      for (const { text } of missed) write(connection, text);
      emit(session, GatewayDispatchEvents.Resumed, { _trace: [] });
      return true;
    },
    lost(session) {
      session.connection = null;
      session.keep = world.clock.after(resumableForMs, () => forget(session));
    },
    forget,
    emit,
    introduce,
    setDeliveries: (count) => (deliveries = count),
  };
}

/** The guilds of a session's application that live on its shard. */
function guildsOn(world: World, { application, shard: [index, count] }: Session): Snowflake[] {
  return [...world.guilds.values()]
    .filter(({ id, applications }) => applications.has(application.id) && shardOf(id, count) === index)
    .map(({ id }) => id);
}

function ready(world: World, session: Session, guilds: Snowflake[], resumeUrl: string) {
  return {
    v: 10,
    user: { ...apiUser(world, session.application.id), verified: true, mfa_enabled: true, email: null },
    user_settings: {},
    guilds: guilds.map((id) => ({ id, unavailable: true })),
    private_channels: [],
    relationships: [],
    presences: [],
    session_id: session.id,
    session_type: "normal",
    resume_gateway_url: resumeUrl,
    shard: session.shard,
    application: { id: session.application.id, flags: 0 },
    _trace: [],
  };
}
