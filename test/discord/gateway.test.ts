import { createInflate, inflateSync } from "node:zlib";
import { GatewayOpcodes } from "discord-api-types/v10";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { adjustableClock } from "./clock.ts";
import { identity, rawSession, readySession, stagedGuild, type RawSession } from "./raw-client.ts";
import { startDiscord, type DiscordOptions } from "./stand-in.ts";

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function stage(options: DiscordOptions = {}) {
  const clock = adjustableClock();
  const standIn = await startDiscord({ clock, rateLimits: false, ...options });
  open.push(() => standIn.close());
  return { clock, standIn, ...(await stagedGuild(standIn)) };
}

const resume = (session: { id: string; seq: number }, token: string) => ({
  token,
  session_id: session.id,
  seq: session.seq,
});

async function place(session: RawSession) {
  const { d } = await session.event("READY");
  const seq = Math.max(...session.heard.map(({ s }) => s ?? 0));
  return { id: String(d["session_id"]), url: String(d["resume_gateway_url"]), seq };
}

describe("a session", () => {
  test("says HELLO, answers IDENTIFY with READY and the guilds, and heartbeats with their acknowledgement", async () => {
    const { standIn, application, guild } = await stage();
    const session = await readySession(standIn, application.token);
    const hello = await session.next(({ op }) => op === GatewayOpcodes.Hello);
    expect(hello.d).toMatchObject({ heartbeat_interval: 41_250 });
    const ready = await session.event("READY");
    expect(ready.d).toMatchObject({
      v: 10,
      user: { id: application.id, bot: true },
      guilds: [{ id: guild.id, unavailable: true }],
      application: { id: application.id },
      shard: [0, 1],
    });
    const created = await session.event("GUILD_CREATE");
    expect(created.d).toMatchObject({
      id: guild.id,
      channels: [{ name: "general" }, { name: "loot" }],
      member_count: 5,
    });
    expect(created.d["members"]).toHaveLength(1);
    expect([ready.s, created.s]).toEqual([1, 2]);
    session.send(GatewayOpcodes.Heartbeat, 2);
    await session.next(({ op }) => op === GatewayOpcodes.HeartbeatAck);
  });

  test.each([
    { name: "a wrong token", d: { token: "wrong" }, code: 4004 },
    { name: "intents that do not exist", d: { intents: 1 << 30 }, code: 4013 },
    { name: "no intents", d: { intents: undefined }, code: 4013 },
    { name: "privileged intents that are switched off", d: { intents: 1 << 1 }, code: 4014 },
    { name: "a shard outside its count", d: { shard: [1, 1] }, code: 4010 },
  ])("is closed with $code after $name", async ({ d, code }) => {
    const { standIn, application } = await stage();
    const session = rawSession(standIn.gatewayUrl);
    session.send(GatewayOpcodes.Identify, identity(application.token, d));
    expect((await session.closed).code).toBe(code);
    expect(await standIn.sessions()).toEqual([]);
  });

  test("hears of members when that intent is switched on", async () => {
    const { standIn, guild } = await stage();
    const privileged = await standIn.addApplication({ privilegedIntents: 1 << 1 });
    await standIn.invite(guild, privileged);
    const session = await readySession(standIn, privileged.token, { intents: 3 });
    await standIn.addMember(guild, { name: "Carl" });
    expect((await session.event("GUILD_MEMBER_ADD")).d).toMatchObject({ user: { username: "carl" } });
    expect((await session.event("GUILD_CREATE")).d["members"]).toHaveLength(6);
  });

  test.each([
    { name: "an unknown opcode", text: '{"op":99,"d":null}', code: 4001 },
    { name: "no JSON", text: "{", code: 4002 },
    { name: "a payload over 4,096 bytes", text: JSON.stringify({ op: 3, d: "x".repeat(4_096) }), code: 4002 },
    { name: "a second IDENTIFY", text: '{"op":2,"d":{}}', code: 4005 },
  ])("is closed with $code after $name", async ({ text, code }) => {
    const { standIn, application } = await stage();
    const session = await readySession(standIn, application.token);
    session.sendText(text);
    expect((await session.closed).code).toBe(code);
    expect(await standIn.violations()).toMatchObject([{ kind: "gateway" }]);
  });

  test("is closed before IDENTIFY when it asks for anything", async () => {
    const { standIn } = await stage();
    const session = rawSession(standIn.gatewayUrl);
    session.send(GatewayOpcodes.PresenceUpdate, {});
    expect((await session.closed).code).toBe(4003);
  });

  test("is closed over 120 payloads a minute", async () => {
    const { standIn, application, clock } = await stage();
    const session = await readySession(standIn, application.token);
    const beat = (times: number) => {
      for (let time = 0; time < times; time += 1) session.send(GatewayOpcodes.Heartbeat, 1);
    };
    beat(119);
    await expect
      .poll(() => session.heard.filter(({ op }) => op === GatewayOpcodes.HeartbeatAck))
      .toHaveLength(119);
    clock.advance(60_001);
    beat(121);
    expect((await session.closed).code).toBe(4008);
  });

  test("is closed and forgotten when its heartbeats stay away", async () => {
    const { standIn, application, clock } = await stage();
    const session = await readySession(standIn, application.token);
    clock.advance(41_250);
    session.send(GatewayOpcodes.Heartbeat, 1);
    await session.next(({ op }) => op === GatewayOpcodes.HeartbeatAck);
    clock.advance(41_250);
    expect(await standIn.sessions()).toHaveLength(1);
    clock.advance(41_250);
    expect((await session.closed).code).toBe(4009);
    expect(await standIn.sessions()).toEqual([]);
  });

  test("speaks version 10 only", async () => {
    const { standIn } = await stage();
    expect((await rawSession(standIn.gatewayUrl, "?v=8&encoding=json").closed).code).toBe(4012);
  });

  test("compresses as a stream or each payload, when asked", async () => {
    const { standIn, application } = await stage();
    const inflate = createInflate();
    const socket = new WebSocket(`${standIn.gatewayUrl}/?v=10&encoding=json&compress=zlib-stream`);
    let text = "";
    inflate.on("data", (data: Buffer) => (text += data.toString("utf8")));
    socket.on("message", (data: Buffer) => inflate.write(data));
    socket.on("open", () => socket.send(JSON.stringify({ op: 2, d: identity(application.token) })));
    await expect.poll(() => text).toContain('"t":"GUILD_CREATE"');
    const single = new WebSocket(`${standIn.gatewayUrl}/?v=10&encoding=json`);
    const events: string[] = [];
    single.on("message", (data: Buffer, binary) =>
      events.push(binary ? inflateSync(data).toString() : data.toString()),
    );
    single.on("open", () =>
      single.send(JSON.stringify({ op: 2, d: identity(application.token, { compress: true }) })),
    );
    await expect.poll(() => events.join("")).toContain('"t":"GUILD_CREATE"');
  });
});

describe("resuming", () => {
  test("replays what was missed, in order, and then says so", async () => {
    const { standIn, application, anna } = await stage();
    const first = await readySession(standIn, application.token);
    await first.event("GUILD_CREATE");
    const known = await place(first);
    await standIn.chaos.disconnect();
    await first.closed;
    const missed = await standIn.as(anna).command("ping");
    const second = rawSession(known.url);
    second.send(GatewayOpcodes.Resume, resume(known, application.token));
    await second.event("RESUMED");
    expect(second.heard.filter(({ op }) => op === GatewayOpcodes.Dispatch).map(({ t, s }) => [t, s])).toEqual(
      [
        ["INTERACTION_CREATE", known.seq + 1],
        ["RESUMED", known.seq + 2],
      ],
    );
    expect(second.heard[1]?.d["id"]).toBe(missed.id);
    expect(await standIn.sessions()).toMatchObject([{ id: known.id, connected: true, resumes: 1 }]);
  });

  test.each([
    { name: "an unknown session", change: { id: "nope" } },
    { name: "a session given up with 1000", change: {}, code: 1000 },
  ])("of $name is invalid", async ({ change, code }) => {
    const { standIn, application } = await stage();
    const first = await readySession(standIn, application.token);
    const known = await place(first);
    if (code !== undefined) {
      first.end(code);
      await expect.poll(() => standIn.sessions()).toEqual([]);
    }
    const second = rawSession(known.url);
    second.send(GatewayOpcodes.Resume, resume({ ...known, ...change }, application.token));
    expect((await second.next(({ op }) => op === GatewayOpcodes.InvalidSession)).d).toBe(false);
  });

  test("with a sequence from the future is closed with 4007", async () => {
    const { standIn, application } = await stage();
    const known = await place(await readySession(standIn, application.token));
    const second = rawSession(known.url);
    second.send(GatewayOpcodes.Resume, resume({ ...known, seq: 99 }, application.token));
    expect((await second.closed).code).toBe(4007);
  });

  test("is over some minutes after the connection was lost", async () => {
    const { standIn, application, clock } = await stage();
    await readySession(standIn, application.token);
    await standIn.chaos.disconnect();
    await expect.poll(() => standIn.sessions()).toMatchObject([{ connected: false }]);
    clock.advance(300_001);
    expect(await standIn.sessions()).toEqual([]);
  });
});

describe("several sessions", () => {
  test("of one shard all hear each interaction, each in its own sequence", async () => {
    const { standIn, application, anna } = await stage();
    const sessions = [
      await readySession(standIn, application.token),
      await readySession(standIn, application.token),
      await readySession(standIn, application.token),
    ];
    const given = await standIn.as(anna).command("ping");
    for (const session of sessions) {
      expect(await session.event("INTERACTION_CREATE")).toMatchObject({ s: 3, d: { id: given.id } });
    }
  });

  test("of other shards and other applications hear nothing", async () => {
    const { standIn, application, anna, guild } = await stage();
    const other = await standIn.addApplication();
    await standIn.invite(guild, other);
    const shards = 2;
    const mine = Number((BigInt(guild.id) >> 22n) % BigInt(shards));
    const right = await readySession(standIn, application.token, { shard: [mine, shards] });
    const wrong = await readySession(standIn, application.token, { shard: [1 - mine, shards] });
    const strange = await readySession(standIn, other.token);
    await standIn.as(anna).command("ping");
    await right.event("INTERACTION_CREATE");
    const events = [...wrong.heard, ...strange.heard].map(({ t }) => t);
    expect(events).not.toContain("INTERACTION_CREATE");
    expect((await wrong.event("READY")).d["guilds"]).toEqual([]);
  });

  test("spend IDENTIFYs, one at a time; who spends them all loses the token", async () => {
    const { standIn, application, rest, clock } = await stage({
      identifyIntervalMs: 5_000,
      identifyTotal: 3,
    });
    await readySession(standIn, application.token);
    const early = rawSession(standIn.gatewayUrl);
    early.send(GatewayOpcodes.Identify, identity(application.token));
    expect((await early.next(({ op }) => op === GatewayOpcodes.InvalidSession)).d).toBe(false);
    clock.advance(5_001);
    await readySession(standIn, application.token);
    expect((await rest("GET", "/gateway/bot")).body).toMatchObject({
      session_start_limit: { total: 3, remaining: 0, max_concurrency: 1 },
    });
    clock.advance(5_001);
    const last = rawSession(standIn.gatewayUrl);
    last.send(GatewayOpcodes.Identify, identity(application.token));
    expect((await last.closed).code).toBe(4004);
    expect((await rest("GET", "/users/@me")).status).toBe(401);
    expect(await standIn.violations()).toHaveLength(1);
  });

  test("are refilled with IDENTIFYs after a day", async () => {
    const { standIn, application, rest, clock } = await stage({ identifyTotal: 3 });
    await readySession(standIn, application.token);
    clock.advance(86_400_001);
    expect((await rest("GET", "/gateway/bot")).body).toMatchObject({ session_start_limit: { remaining: 3 } });
  });
});

describe("a guild's changes", () => {
  test("are heard by its bots: invited, role, channel, kicked", async () => {
    const { standIn, application } = await stage();
    const session = await readySession(standIn, application.token);
    const late = await standIn.addGuild({ name: "Late" });
    await standIn.invite(late, application);
    await session.next(({ t, d }) => t === "GUILD_CREATE" && d["id"] === late.id);
    const role = await standIn.addRole(late, { name: "raider" });
    expect((await session.event("GUILD_ROLE_CREATE")).d).toMatchObject({ role: { id: role.id } });
    await standIn.addChannel(late, { name: "bids" });
    expect((await session.event("CHANNEL_CREATE")).d).toMatchObject({ name: "bids" });
    await standIn.kick(late, application);
    expect((await session.event("GUILD_DELETE")).d).toEqual({ id: late.id });
  });

  test("messages are heard with their content only by who wrote them, without that intent", async () => {
    const { standIn, application, rest, general, anna } = await stage();
    const session = await readySession(standIn, application.token, { intents: 1 | (1 << 9) });
    await rest("POST", `/channels/${general.id}/messages`, { content: "mine" });
    expect((await session.event("MESSAGE_CREATE")).d["content"]).toBe("mine");
    const hers = await standIn.as(anna).say(general, "hers");
    const heard = await session.next(({ t, d }) => t === "MESSAGE_CREATE" && d["id"] === hers.id);
    expect(heard.d["content"]).toBe("");
  });
});
