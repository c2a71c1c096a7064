import type {
  APIApplicationCommand,
  APIApplicationCommandOptionChoice,
  APIEmbed,
  APIMessage,
  APIModalInteractionResponseCallbackData,
  APIUser,
} from "discord-api-types/v10";

/** A Discord id: a decimal string of 64 bits, its time in the upper 42. */
export type Snowflake = string;

/** Something with an id; wherever an id is asked for, the thing itself does too. */
type Identified = { id: Snowflake };
export type Ref = Snowflake | Identified;

export type ApplicationSpec = {
  id?: Snowflake;
  /** The bot token; made up when absent. */
  token?: string;
  name?: string;
  /** Privileged intents switched on in the developer portal (bit field); none by default. */
  privilegedIntents?: number;
};

/** An application and its bot user, which share their id. */
export type Application = { id: Snowflake; token: string; name: string };

export type RoleSpec = { id?: Snowflake; name: string; permissions?: bigint | string };
export type Role = { id: Snowflake; guildId: Snowflake; name: string; permissions: string };

export type OverwriteSpec = {
  /** A role or a user. */
  target: Ref;
  type: "role" | "member";
  allow?: bigint | string;
  deny?: bigint | string;
};
export type ChannelSpec = { id?: Snowflake; name: string; overwrites?: OverwriteSpec[] };
export type Channel = { id: Snowflake; guildId: Snowflake; name: string };

export type MemberSpec = {
  id?: Snowflake;
  name: string;
  nick?: string;
  /** Roles by id, by name or as things. */
  roles?: Ref[];
  locale?: string;
};
export type Member = {
  id: Snowflake;
  guildId: Snowflake;
  name: string;
  nick: string | null;
  roles: Snowflake[];
};

export type GuildSpec = {
  id?: Snowflake;
  name?: string;
  locale?: string;
  roles?: RoleSpec[];
  channels?: ChannelSpec[];
  members?: MemberSpec[];
  /** Bots invited with `bot` and `applications.commands`; each gets a managed role. */
  applications?: Ref[];
  /** Permissions of the bots' managed roles; sending and reading messages by default. */
  botPermissions?: bigint | string;
};
/** What was made for a guild; roles, channels and members in the order of the specification. */
export type Guild = {
  id: Snowflake;
  name: string;
  ownerId: Snowflake;
  roles: Role[];
  channels: Channel[];
  members: Member[];
};

/** Who may use a command, or where (a channel can only be closed to it). */
type CommandAccess = { target: Ref; type: "role" | "user" | "channel"; allow: boolean };

export type OptionValue = string | number | boolean | Identified;
export type Options = Record<string, OptionValue>;

export type Where = {
  /** The channel, the guild's first one by default. */
  channel?: Ref;
  /** The application, when several in the guild have a command of that name. */
  application?: Ref;
  /** Milliseconds since the epoch that the interaction's id carries, instead of now. */
  sentAtMs?: number;
};

/** A component as it travels: only what is common to all kinds is typed. */
export type Component = { type: number; id?: number; [field: string]: unknown };
export type Embed = Omit<APIEmbed, "type"> & { type?: string };
export type User = Omit<APIUser, "flags" | "public_flags"> & { flags: number; public_flags: number };

/** A registered command. */
export type Command = Omit<APIApplicationCommand, "type" | "handler"> & { type: number };

/** Discord's message, its enumerations as the numbers they are. */
export type ApiMessage = Omit<
  APIMessage,
  "type" | "flags" | "embeds" | "components" | "author" | "mentions"
> & {
  type: number;
  flags: number;
  embeds: Embed[];
  components: Component[];
  author: User;
  mentions: User[];
};

/** A message as stored: what the API answers with, whether only one member sees it, how often it was edited. */
export type Message = ApiMessage & {
  ephemeral: boolean;
  edits: number;
  /** How many different contents it has shown; an edit that changes nothing adds none, "thinking…" is none. */
  versions: number;
  /** The answer is announced ("thinking…"), not yet there. */
  loading: boolean;
  /** Users that were notified, after allowed_mentions. */
  notified: Snowflake[];
};

export type Modal = APIModalInteractionResponseCallbackData & { interactionId: Snowflake };

type InteractionState =
  /** Sent, the three seconds are running. */
  | "pending"
  /** Deferred: the member sees "thinking…" (or, for a component, nothing yet). */
  | "deferred"
  /** The member sees an answer, a modal, choices, or the edited message. */
  | "answered"
  /** The member sees "The application did not respond" (three seconds) or an answer that never came (fifteen minutes). */
  | "failed";

export type InteractionRecord = {
  id: Snowflake;
  applicationId: Snowflake;
  guildId: Snowflake;
  channelId: Snowflake;
  userId: Snowflake;
  state: InteractionState;
  /** Callback type (4, 5, 6, 7, 8, 9) of the accepted first answer. */
  callback: number | null;
  sentAtMs: number;
  acknowledgedAtMs: number | null;
  answeredAtMs: number | null;
  /** Milliseconds, with fractions, from sending to the accepted first answer and to the answer's content. */
  acknowledgedAfterMs: number | null;
  answeredAfterMs: number | null;
  failure: string | null;
  /** Raised by every change. */
  revision: number;
  /** First answers that were refused, as Discord error codes (40060, 10062). */
  refusedCallbacks: number[];
  original: Message | null;
  followups: Message[];
  modal: Modal | null;
  choices: APIApplicationCommandOptionChoice[] | null;
};

export type Patience = { timeoutMs?: number };

/** An interaction as the member who caused it lives through it. Waits give up after 30 s unless told otherwise. */
export type Interaction = {
  readonly id: Snowflake;
  /** Resolves when the first answer (defer included) was accepted; rejects when the interaction failed. */
  acknowledged(patience?: Patience): Promise<InteractionRecord>;
  /**
   * Resolves with the answer as soon as its content is there ("thinking…" is not content); rejects when the
   * interaction failed. For a component whose update was deferred it is the edited message, or the first follow-up.
   */
  reply(patience?: Patience): Promise<Message>;
  /** Resolves with the modal that was opened as the first answer. */
  modal(patience?: Patience): Promise<Modal>;
  /** Resolves with the reason when the member sees a failure; rejects when there is an answer. */
  failed(patience?: Patience): Promise<string>;
  /** Resolves when the record satisfies the condition. */
  until(condition: (record: InteractionRecord) => boolean, patience?: Patience): Promise<InteractionRecord>;
  /** The record as it is now. */
  record(): Promise<InteractionRecord>;
};

/**
 * A member at their client. Everything rejects with a `ClientRefusal` when a real client would not send it:
 * no such command, a missing or unknown option, a value out of bounds, no permission to use it.
 */
export type Actor = {
  /** Runs a slash command: `"dkp award"` with options by name. */
  command(name: string, options?: Options, where?: Where): Promise<Interaction>;
  /** Types into an option and resolves with the choices offered. `focused` names the option; its text is in `options`. */
  autocomplete(
    name: string,
    focused: string,
    options?: Options,
    where?: Where,
  ): Promise<APIApplicationCommandOptionChoice[]>;
  /** Presses a button of a message this member sees, found by custom_id or label. */
  button(message: Ref, button: string): Promise<Interaction>;
  /** Picks values (or users, roles, channels) in a select menu. */
  select(message: Ref, customId: string, values: Ref[]): Promise<Interaction>;
  /** Submits an opened modal with the values of its inputs by custom_id. */
  modal(modal: Modal, values: Record<string, string>): Promise<Interaction>;
  /** Writes a message into a channel. */
  say(channel: Ref, content: string): Promise<Message>;
};

export type JournalEntry = {
  /** Milliseconds since the epoch. */
  atMs: number;
  method: string;
  /** Path below /api/v10, with interaction tokens shortened. */
  path: string;
  route: string;
  applicationId: Snowflake | null;
  status: number;
  /** Discord error code of a refusal. */
  code: number | null;
  body: unknown;
  durationMs: number;
};

/** A request that breaks Discord's published schema or rules, or an answer of the stand-in that does. */
export type Violation = {
  atMs: number;
  /** Where the fault lies: in the program under test (request, gateway) or in the stand-in itself (response). */
  kind: "request" | "gateway" | "response";
  method: string;
  path: string;
  message: string;
  errors: unknown;
};

export type GatewaySession = {
  id: string;
  applicationId: Snowflake;
  shard: [number, number];
  intents: number;
  /** Connected right now; a session that lost its connection can be resumed for a while. */
  connected: boolean;
  sequence: number;
  resumes: number;
};

/** Which requests a fault strikes. All of them, when empty. */
type FaultTarget = {
  method?: string;
  /** Regular expression over the path below /api/v10. */
  path?: string;
  /** How many requests it strikes before it is over; without end when absent. */
  times?: number;
  /** Of the matching requests, the share that is struck (0–1); all by default. */
  probability?: number;
};
export type Fault = FaultTarget &
  (
    | {
        kind: "status";
        status: number;
        /** Discord's error code in the body, 0 by default. */
        code?: number;
        /** Take effect, then lie about it. */
        afterEffect?: boolean;
      }
    | { kind: "rateLimit"; retryAfterMs: number; global?: boolean }
    | { kind: "drop"; /** Take effect, then cut the connection without an answer. */ afterEffect?: boolean }
    | { kind: "latency"; minMs: number; maxMs: number }
  );

export type SessionTarget = { application?: Ref; sessions?: string[] };

export type Chaos = {
  /** Adds a fault to REST; faults are tried in order and the first that strikes counts (latency goes with any). */
  fault(fault: Fault): Promise<void>;
  /** Closes gateway connections; without a code the socket is cut. */
  disconnect(target?: SessionTarget & { code?: number }): Promise<void>;
  /** Sends RECONNECT (op 7) and closes if the client does not. */
  reconnect(target?: SessionTarget): Promise<void>;
  /** Sends INVALID_SESSION (op 9); the session is forgotten unless resumable. */
  invalidate(target?: SessionTarget & { resumable?: boolean }): Promise<void>;
  /** Keeps connections open but mute: no acknowledgement, no event, nothing heard. */
  freeze(target?: SessionTarget): Promise<void>;
  /** Refuses new gateway connections with HTTP 503 until switched off. */
  gatewayDown(down: boolean): Promise<void>;
  /** Delivers each interaction this many times to every session (1 is normal). */
  deliveries(count: number): Promise<void>;
  /** What /gateway/bot says is left to identify with. */
  sessionStartLimit(
    application: Ref,
    limit: { total?: number; remaining?: number; resetAfterMs?: number; maxConcurrency?: number },
  ): Promise<void>;
  /** Takes back every fault; sessions that are frozen stay so. */
  calm(): Promise<void>;
};

/** Discord as tests drive it: within the process (`startDiscord`) or over its control API (`connectDiscord`). */
export type DiscordDriver = {
  /** Base for REST clients, without version: what DISCORD_API_URL is set to. */
  readonly apiUrl: string;
  addApplication(spec?: ApplicationSpec): Promise<Application>;
  /**
   * Gives an application a new token; the old one is refused and its sessions are closed with 4004, unless they are kept
   * (as those of an application that is replaced by another one would be).
   */
  resetToken(application: Ref, token?: string, options?: { keepSessions?: boolean }): Promise<Application>;
  addGuild(spec?: GuildSpec): Promise<Guild>;
  addRole(guild: Ref, spec: RoleSpec): Promise<Role>;
  addChannel(guild: Ref, spec: ChannelSpec): Promise<Channel>;
  setOverwrites(channel: Ref, overwrites: OverwriteSpec[]): Promise<void>;
  addMember(guild: Ref, spec: MemberSpec): Promise<Member>;
  updateMember(member: Member, change: { nick?: string | null; roles?: Ref[] }): Promise<Member>;
  /** The member leaves; mentions of the user stay possible, without member data. */
  removeMember(member: Member): Promise<void>;
  invite(guild: Ref, application: Ref): Promise<void>;
  kick(guild: Ref, application: Ref): Promise<void>;
  /** The commands of an application in a guild as registered. */
  commands(application: Ref, guild: Ref): Promise<Command[]>;
  /** What an administrator sets in the server's settings, which overrides default_member_permissions. */
  setCommandAccess(application: Ref, guild: Ref, command: string, access: CommandAccess[]): Promise<void>;
  as(member: Member): Actor;
  /** Messages of a channel, oldest first; without ephemeral ones. */
  messages(channel: Ref): Promise<Message[]>;
  /** An interaction by its id. */
  interaction(id: Snowflake): Interaction;
  /** REST requests, oldest first (the last 20,000). */
  journal(filter?: { method?: string; path?: string }): Promise<JournalEntry[]>;
  /** Broken rules of the schema since the start; empty after every good test. */
  violations(): Promise<Violation[]>;
  /** Requests of the last ten minutes that Discord counts towards a ban (401, 403, 429); it bans at 10,000. */
  invalidRequests(): Promise<number>;
  sessions(): Promise<GatewaySession[]>;
  readonly chaos: Chaos;
  close(): Promise<void>;
};
