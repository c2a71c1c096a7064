import { GatewayOpcodes } from "discord-api-types/v10";
import { afterEach, describe, expect, test } from "vitest";
import { adjustableClock } from "./clock.ts";
import { identity, rawRest, rawSession, readySession, received, stagedGuild } from "./raw-client.ts";
import { startDiscord } from "./stand-in.ts";

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function stage() {
  const clock = adjustableClock();
  const standIn = await startDiscord({ clock });
  open.push(() => standIn.close());
  const staged = await stagedGuild(standIn);
  const path = `/channels/${staged.general.id}/messages`;
  const post = (content = "x") => staged.rest("POST", path, { content });
  return { clock, standIn, path, post, ...staged };
}

describe("rate limits", () => {
  test("count down in the headers, refuse with 429 and how long to wait, and refill", async () => {
    const { post, clock } = await stage();
    const answers = [];
    for (let n = 0; n < 5; n += 1) answers.push(await post());
    expect(answers.map(({ headers }) => headers.get("x-ratelimit-remaining"))).toEqual([
      "4",
      "3",
      "2",
      "1",
      "0",
    ]);
    expect(answers[0]?.headers.get("x-ratelimit-limit")).toBe("5");
    const refused = await post();
    expect(refused).toMatchObject({
      status: 429,
      body: { global: false, message: "You are being rate limited." },
    });
    const after = Number(refused.body["retry_after"]);
    expect(after).toBeGreaterThan(0);
    expect(after).toBeLessThanOrEqual(5);
    expect(refused.headers.get("x-ratelimit-scope")).toBe("user");
    expect(Number(refused.headers.get("retry-after"))).toBe(Math.ceil(after));
    clock.advance(5_001);
    expect((await post()).status).toBe(200);
  });

  test("are counted for each channel", async () => {
    const { post, rest, loot } = await stage();
    for (let n = 0; n < 5; n += 1) await post();
    expect((await post()).status).toBe(429);
    expect((await rest("POST", `/channels/${loot.id}/messages`, { content: "x" })).status).toBe(200);
  });

  test("allow a token fifty requests a second in all, and interactions besides", async () => {
    const { standIn, application, rest, anna, guild } = await stage();
    const session = await readySession(standIn, application.token);
    const paths = ["/users/@me", `/guilds/${guild.id}`, `/guilds/${guild.id}/roles`];
    const answers = await Promise.all(Array.from({ length: 75 }, (_, n) => rest("GET", paths[n % 3] ?? "")));
    const global = answers.filter(({ body }) => body["global"] === true);
    expect(global.length).toBeGreaterThan(0);
    expect(global[0]?.headers.get("x-ratelimit-global")).toBe("true");
    const given = await standIn.as(anna).command("ping");
    const { callback, followup } = await received(session, given, rest);
    const answered = await callback({ type: 4, data: { content: "pong" } });
    expect(answered.status).toBe(204);
    expect(answered.headers.get("x-ratelimit-limit")).toBeNull();
    expect((await followup({ content: "more" })).status).toBe(200);
  });

  test("ban an address after 10,000 invalid requests, without a body that is JSON", async () => {
    const { standIn, clock } = await stage();
    const wrong = rawRest(standIn.apiUrl, "wrong");
    for (let n = 0; n < 100; n += 1) {
      await Promise.all(Array.from({ length: 101 }, () => wrong("GET", "/users/@me")));
    }
    expect(await standIn.invalidRequests()).toBeGreaterThanOrEqual(10_000);
    const banned = await wrong("GET", "/users/@me");
    expect(banned).toMatchObject({ status: 429, body: {} });
    expect(banned.headers.get("content-type")).toBe("text/html");
    expect(banned.headers.get("via")).toBeNull();
    clock.advance(600_001);
    expect((await wrong("GET", "/users/@me")).status).toBe(401);
  });
});

describe("faults", () => {
  test("strike what they aim at, as often as they say", async () => {
    const { standIn, post, rest } = await stage();
    await standIn.chaos.fault({ kind: "status", status: 502, method: "POST", path: "^/channels/", times: 2 });
    expect((await rest("GET", "/users/@me")).status).toBe(200);
    expect([(await post()).status, (await post()).status, (await post()).status]).toEqual([502, 502, 200]);
    await standIn.chaos.fault({ kind: "rateLimit", retryAfterMs: 1_500, global: true, times: 1 });
    expect((await post()).body).toMatchObject({ retry_after: 1.5, global: true });
  });

  test("can take effect and lie about it", async () => {
    const { standIn, post, general } = await stage();
    await standIn.chaos.fault({ kind: "status", status: 500, afterEffect: true, times: 1 });
    expect((await post("first")).status).toBe(500);
    await standIn.chaos.fault({ kind: "drop", afterEffect: true, times: 1 });
    await expect(post("second")).rejects.toThrow();
    await standIn.chaos.fault({ kind: "drop", times: 1 });
    await expect(post("third")).rejects.toThrow();
    expect((await standIn.messages(general)).map(({ content }) => content)).toEqual(["first", "second"]);
  });

  test("end when all is calm again", async () => {
    const { standIn, post } = await stage();
    await standIn.chaos.fault({ kind: "status", status: 503 });
    await standIn.chaos.fault({ kind: "latency", minMs: 1, maxMs: 5 });
    expect((await post()).status).toBe(503);
    await standIn.chaos.calm();
    expect((await post()).status).toBe(200);
  });

  test("are in the journal like everything else, without the tokens of interactions", async () => {
    const { standIn, application, rest, anna, post } = await stage();
    await standIn.chaos.fault({ kind: "status", status: 500, times: 1, method: "POST" });
    await post();
    const session = await readySession(standIn, application.token);
    const given = await standIn.as(anna).command("ping");
    const { callback, payload } = await received(session, given, rest);
    await callback({ type: 5 });
    const journal = await standIn.journal({ method: "POST" });
    expect(journal).toMatchObject([
      { status: 500 },
      { status: 204, route: "/interactions/:interaction/:token/callback", body: { type: 5 } },
    ]);
    expect(JSON.stringify(journal)).not.toContain(payload["token"]);
  });
});

describe("the gateway's moods", () => {
  test("RECONNECT, INVALID_SESSION and closes reach the sessions they aim at", async () => {
    const { standIn, application } = await stage();
    const session = await readySession(standIn, application.token);
    await standIn.chaos.reconnect({ application });
    await session.next(({ op }) => op === GatewayOpcodes.Reconnect);
    await standIn.chaos.invalidate({ resumable: true });
    expect((await session.next(({ op }) => op === GatewayOpcodes.InvalidSession)).d).toBe(true);
    expect(await standIn.sessions()).toHaveLength(1);
    await standIn.chaos.disconnect({ code: 4000 });
    expect((await session.closed).code).toBe(4000);
    await expect.poll(() => standIn.sessions()).toMatchObject([{ connected: false }]);
  });

  test("an invalidated session is gone", async () => {
    const { standIn, application } = await stage();
    const session = await readySession(standIn, application.token);
    await standIn.chaos.invalidate();
    expect((await session.next(({ op }) => op === GatewayOpcodes.InvalidSession)).d).toBe(false);
    expect(await standIn.sessions()).toEqual([]);
  });

  test("a frozen connection neither hears nor speaks, and can be resumed by another", async () => {
    const { standIn, application, anna } = await stage();
    const frozen = await readySession(standIn, application.token);
    const ready = await frozen.event("READY");
    await frozen.event("GUILD_CREATE");
    await standIn.chaos.freeze();
    await standIn.as(anna).command("ping");
    frozen.send(GatewayOpcodes.Heartbeat, 2);
    const next = rawSession(standIn.gatewayUrl);
    next.send(GatewayOpcodes.Resume, { token: application.token, session_id: ready.d["session_id"], seq: 2 });
    await next.event("INTERACTION_CREATE");
    expect(frozen.heard.map(({ t }) => t)).toEqual([null, "READY", "GUILD_CREATE"]);
    await frozen.closed;
  });

  test("a gateway that is down refuses connections until it is back", async () => {
    const { standIn, application } = await stage();
    await standIn.chaos.gatewayDown(true);
    expect((await rawSession(standIn.gatewayUrl).closed).code).toBe(1006);
    await standIn.chaos.gatewayDown(false);
    await readySession(standIn, application.token);
  });

  test("interactions can be delivered more than once", async () => {
    const { standIn, application, anna } = await stage();
    const session = await readySession(standIn, application.token);
    await standIn.chaos.deliveries(3);
    const given = await standIn.as(anna).command("ping");
    await expect
      .poll(() => session.heard.filter(({ d }) => d?.["id"] === given.id).map(({ s }) => s))
      .toEqual([3, 4, 5]);
  });

  test("a new token ends the sessions of the old one", async () => {
    const { standIn, application, rest } = await stage();
    const session = await readySession(standIn, application.token);
    const renewed = await standIn.resetToken(application);
    expect((await session.closed).code).toBe(4004);
    expect((await rest("GET", "/users/@me")).status).toBe(401);
    const again = rawSession(standIn.gatewayUrl);
    again.send(GatewayOpcodes.Identify, identity(renewed.token));
    await again.event("READY");
  });

  test("what is left to identify with can be set", async () => {
    const { standIn, application, rest } = await stage();
    await standIn.chaos.sessionStartLimit(application, { remaining: 12, maxConcurrency: 16 });
    expect((await rest("GET", "/gateway/bot")).body).toMatchObject({
      session_start_limit: { remaining: 12, total: 1_000, max_concurrency: 16 },
    });
  });
});
