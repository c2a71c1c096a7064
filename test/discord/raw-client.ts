import { GatewayOpcodes } from "discord-api-types/v10";
import { WebSocket } from "ws";
import type { Application, Guild, Interaction } from "./driver.ts";
import type { DiscordStandIn } from "./stand-in.ts";

type Answered = {
  status: number;
  headers: Headers;
  /** The body, or null without one. */
  body: { code?: number; message?: string; errors?: unknown; id?: string } & Record<string, unknown>;
};
export type Rest = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<Answered>;

/** Calls the API with nothing in between that would mend or retry. */
export function rawRest(apiUrl: string, token: string): Rest {
  return async (method, path, body, headers = {}) => {
    const response = await fetch(`${apiUrl}/v10${path}`, {
      method,
      headers: {
        authorization: `Bot ${token}`,
        "user-agent": "DiscordBot (https://dkp.dev, 1)",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const json = (text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : {}) as Answered["body"];
    return { status: response.status, headers: response.headers, body: json };
  };
}

type Heard = { op: GatewayOpcodes; t: string | null; s: number | null; d: Record<string, unknown> };
export type RawSession = {
  heard: Heard[];
  send(op: GatewayOpcodes, d: unknown): void;
  sendText(text: string): void;
  /** The next payload that fits, of those already heard too. */
  next(fits: (payload: Heard) => boolean): Promise<Heard>;
  event(name: string): Promise<Heard>;
  /** Code and reason of the close. */
  closed: Promise<{ code: number; reason: string }>;
  end(code?: number): void;
};

/** A gateway connection without any manners of its own: no heartbeat unless told. */
export function rawSession(url: string, query = "?v=10&encoding=json"): RawSession {
  const socket = new WebSocket(`${url}/${query}`);
  const heard: Heard[] = [];
  const waiting = new Set<() => void>();
  socket.on("message", (data: Buffer) => {
    heard.push(JSON.parse(data.toString("utf8")) as Heard);
    for (const look of waiting) look();
  });
  socket.on("error", () => undefined);
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on("close", (code, reason) => resolve({ code, reason: reason.toString("utf8") }));
  });
  const opened = new Promise<void>((resolve) => socket.once("open", () => resolve()));
  const sendText = (text: string) => void opened.then(() => socket.send(text));
  const next: RawSession["next"] = (fits) =>
    new Promise((resolve) => {
      const look = () => {
        const found = heard.find(fits);
        if (found === undefined) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });
  return {
    heard,
    sendText,
    send: (op, d) => sendText(JSON.stringify({ op, d })),
    next,
    event: (name) => next(({ t }) => t === name),
    closed,
    end: (code = 1000) => socket.close(code),
  };
}

export function identity(token: string, more: Record<string, unknown> = {}) {
  return { token, intents: 1, properties: { os: "linux", browser: "test", device: "test" }, ...more };
}

/** Connects, identifies and waits for READY. */
export async function readySession(
  standIn: Pick<DiscordStandIn, "gatewayUrl">,
  token: string,
  more = {},
): Promise<RawSession> {
  const session = rawSession(standIn.gatewayUrl);
  session.send(GatewayOpcodes.Identify, identity(token, more));
  await session.event("READY");
  return session;
}

/** The interaction as a session heard it, with the calls that answer it. */
export async function received(session: RawSession, given: Interaction, rest: Rest) {
  const { d } = await session.next(({ t, d: data }) => t === "INTERACTION_CREATE" && data["id"] === given.id);
  const token = String(d["token"]);
  const webhook = `/webhooks/${String(d["application_id"])}/${token}`;
  return {
    payload: d,
    webhook,
    callback: (body: unknown, query = "") =>
      rest("POST", `/interactions/${given.id}/${token}/callback${query}`, body),
    followup: (body: unknown) => rest("POST", webhook, body),
    original: (method: string, body?: unknown) => rest(method, `${webhook}/messages/@original`, body),
  };
}

/** The commands that the tests of the stand-in register. */
const testCommands = [
  {
    name: "dkp",
    description: "Points",
    options: [
      {
        type: 1,
        name: "award",
        description: "Give points",
        options: [
          { type: 6, name: "member", description: "Who", required: true },
          { type: 4, name: "amount", description: "How many", required: true, min_value: 1, max_value: 100 },
          { type: 3, name: "item", description: "For what", autocomplete: true, max_length: 20 },
          { type: 3, name: "pool", description: "Which", choices: [{ name: "Main", value: "main" }] },
          { type: 8, name: "role", description: "For whom" },
          { type: 7, name: "channel", description: "Where", channel_types: [0] },
          { type: 5, name: "quiet", description: "Tell nobody" },
        ],
      },
    ],
  },
  { name: "ping", description: "Answers" },
  { name: "secret", description: "Officers only", default_member_permissions: "32" },
];

/** An application in a guild of three with the test commands registered. */
export async function stagedGuild(standIn: DiscordStandIn) {
  const application: Application = await standIn.addApplication();
  const guild: Guild = await standIn.addGuild({
    applications: [application],
    roles: [{ name: "officer", permissions: 32n }],
    channels: [{ name: "general" }, { name: "loot" }],
    members: [{ name: "Anna" }, { name: "Bert" }, { name: "Olga", roles: ["officer"] }],
  });
  const [anna, bert, olga] = guild.members;
  const [general, loot] = guild.channels;
  if (!anna || !bert || !olga || !general || !loot) throw new Error("the guild is incomplete");
  const rest = rawRest(standIn.apiUrl, application.token);
  const path = `/applications/${application.id}/guilds/${guild.id}/commands`;
  const registered = await rest("PUT", path, testCommands);
  if (registered.status !== 200) throw new Error(JSON.stringify(registered.body));
  return { application, guild, anna, bert, olga, general, loot, rest, commandsPath: path };
}
