import { afterEach, describe, expect, test } from "vitest";
import { adjustableClock } from "./clock.ts";
import { readySession, received, stagedGuild } from "./raw-client.ts";
import { timeOf } from "./snowflake.ts";
import { startDiscord } from "./stand-in.ts";

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function stage() {
  const clock = adjustableClock();
  const standIn = await startDiscord({ clock, rateLimits: false });
  open.push(() => standIn.close());
  const staged = await stagedGuild(standIn);
  const session = await readySession(standIn, staged.application.token);
  const ping = async (who = staged.anna) => {
    const given = await standIn.as(who).command("ping");
    return { given, ...(await received(session, given, staged.rest)) };
  };
  return { clock, standIn, session, ping, ...staged };
}

const ephemeral = 64;

describe("the first answer", () => {
  test("is taken within three seconds and refused as unknown after them", async () => {
    const { clock, ping } = await stage();
    const early = await ping();
    clock.advance(2_900);
    expect((await early.callback({ type: 4, data: { content: "in time" } })).status).toBe(204);
    const late = await ping();
    clock.advance(3_001);
    expect(await late.callback({ type: 4, data: { content: "late" } })).toMatchObject({
      status: 404,
      body: { code: 10062 },
    });
    expect(await late.given.failed()).toBe("The application did not respond");
    await expect(late.given.reply()).rejects.toThrow("The application did not respond");
    expect((await late.given.record()).refusedCallbacks).toEqual([10062]);
  });

  test("is taken once", async () => {
    const { ping, standIn } = await stage();
    const { given, callback } = await ping();
    expect((await callback({ type: 5 })).status).toBe(204);
    expect(await callback({ type: 4, data: { content: "again" } })).toMatchObject({
      status: 400,
      body: { code: 40060 },
    });
    expect((await given.record()).refusedCallbacks).toEqual([40060]);
    expect(await standIn.violations()).toEqual([]);
  });

  test("needs the interaction's own token", async () => {
    const { ping, rest } = await stage();
    const { given } = await ping();
    const wrong = await rest("POST", `/interactions/${given.id}/${"x".repeat(40)}/callback`, { type: 5 });
    expect(wrong).toMatchObject({ status: 404, body: { code: 10062 } });
    expect((await given.record()).state).toBe("pending");
  });

  test.each([
    { type: 6, data: undefined },
    { type: 7, data: { content: "x" } },
    { type: 8, data: { choices: [] } },
  ])("of type $type does not go with a command", async (body) => {
    const { ping } = await stage();
    const { callback } = await ping();
    expect(await callback(body)).toMatchObject({ status: 400, body: { code: 50035, errors: { type: {} } } });
    expect((await callback({ type: 4, data: { content: "fits" } })).status).toBe(204);
  });

  test("is answered with the message when that is asked for", async () => {
    const { ping, standIn } = await stage();
    const { callback, given } = await ping();
    const { status, body } = await callback({ type: 4, data: { content: "here" } }, "?with_response=true");
    expect(status).toBe(200);
    expect(body).toMatchObject({
      interaction: { id: given.id, type: 2, response_message_ephemeral: false },
      resource: { type: 4, message: { content: "here" } },
    });
    expect(await standIn.violations()).toEqual([]);
  });
});

describe("what follows", () => {
  test("is taken for fifteen minutes", async () => {
    const { clock, ping } = await stage();
    const { callback, original, followup } = await ping();
    await callback({ type: 4, data: { content: "first" } });
    clock.advance(14 * 60_000);
    expect((await original("PATCH", { content: "changed" })).status).toBe(200);
    expect((await followup({ content: "more" })).status).toBe(200);
    clock.advance(61_000);
    expect(await original("PATCH", { content: "late" })).toMatchObject({
      status: 401,
      body: { code: 50027 },
    });
    expect(await followup({ content: "late" })).toMatchObject({ status: 401, body: { code: 50027 } });
  });

  test("is refused before the first answer", async () => {
    const { ping } = await stage();
    const { followup, original } = await ping();
    expect(await followup({ content: "early" })).toMatchObject({ status: 404, body: { code: 10015 } });
    expect(await original("GET")).toMatchObject({ status: 404, body: { code: 10015 } });
  });

  test("a deferred answer that never comes fails before the member's eyes", async () => {
    const { clock, ping } = await stage();
    const { callback, given } = await ping();
    await callback({ type: 5 });
    expect(await given.record()).toMatchObject({ state: "deferred", original: { loading: true } });
    clock.advance(15 * 60_000 + 1);
    expect(await given.failed()).toBe("The application did not respond");
  });

  test.each([
    { name: "private", first: ephemeral, later: 0, expected: true },
    { name: "public", first: 0, later: ephemeral, expected: false },
  ])("a $name deferral stays $name whatever the edit says", async ({ first, later, expected }) => {
    const { ping, general, standIn } = await stage();
    const { callback, original, given } = await ping();
    await callback({ type: 5, data: { flags: first } });
    await original("PATCH", { content: "done", flags: later });
    expect(await given.reply()).toMatchObject({ content: "done", ephemeral: expected, loading: false });
    expect(await standIn.messages(general)).toHaveLength(expected ? 0 : 1);
  });

  test("the first follow-up to a deferral takes its place", async () => {
    const { ping } = await stage();
    const { callback, followup, given } = await ping();
    await callback({ type: 5, data: { flags: ephemeral } });
    expect((await followup({ content: "answer" })).status).toBe(200);
    expect((await followup({ content: "more" })).status).toBe(200);
    expect(await given.record()).toMatchObject({
      original: { content: "answer", ephemeral: true, versions: 1 },
      followups: [{ content: "more", ephemeral: false }],
    });
  });

  test("the original can be read and taken back", async () => {
    const { ping } = await stage();
    const { callback, original } = await ping();
    await callback({ type: 4, data: { content: "here" } });
    expect((await original("GET")).body["content"]).toBe("here");
    expect((await original("DELETE")).status).toBe(204);
    expect(await original("GET")).toMatchObject({ status: 404, body: { code: 10008 } });
  });
});

describe("what an interaction carries", () => {
  test("its id holds the time it was sent at, and ids increase", async () => {
    const { ping, clock } = await stage();
    const first = await ping();
    clock.advance(1_000);
    const second = await ping();
    expect(Math.abs(timeOf(second.given.id) - clock.nowMs())).toBeLessThan(1_000);
    expect(timeOf(second.given.id) - timeOf(first.given.id)).toBeGreaterThanOrEqual(1_000);
  });

  test("an id can be made for another time", async () => {
    const { standIn, anna, clock } = await stage();
    const sentAtMs = clock.nowMs() - 2_000;
    const given = await standIn.as(anna).command("ping", {}, { sentAtMs });
    expect(timeOf(given.id)).toBe(Math.floor(sentAtMs));
  });

  test("options come nested in their sub-command, with the data of whom they mention", async () => {
    const { standIn, session, rest, guild, anna, bert, general } = await stage();
    const officer = guild.roles[0]!;
    const options = { member: bert, amount: 5, pool: "Main", role: officer, channel: general, quiet: true };
    const given = await standIn.as(anna).command("dkp award", options);
    const { payload } = await received(session, given, rest);
    expect(payload).toMatchObject({
      type: 2,
      guild_id: guild.id,
      channel_id: general.id,
      context: 0,
      member: { user: { id: anna.id }, permissions: expect.stringMatching(/^\d+$/) as string },
      data: {
        name: "dkp",
        options: [
          {
            name: "award",
            type: 1,
            options: expect.arrayContaining([{ name: "pool", type: 3, value: "main" }]) as unknown,
          },
        ],
        resolved: {
          users: { [bert.id]: { username: "bert" } },
          members: { [bert.id]: { roles: [] } },
          roles: { [officer.id]: { name: "officer" } },
          channels: { [general.id]: { name: "general", type: 0 } },
        },
      },
    });
    expect(JSON.stringify(payload["data"])).not.toContain('"members":{"' + bert.id + '":{"user"');
  });

  test("somebody who left is resolved as a user without a member", async () => {
    const { standIn, session, rest, anna, bert } = await stage();
    await standIn.removeMember(bert);
    const given = await standIn.as(anna).command("dkp award", { member: bert, amount: 5 });
    const { payload } = await received(session, given, rest);
    const { resolved } = payload["data"] as { resolved: Record<string, unknown> };
    expect(resolved).toHaveProperty(["users", bert.id]);
    expect(resolved).not.toHaveProperty("members");
  });
});

describe("a client does not send", () => {
  test.each([
    { name: "an unknown command", command: "nope", options: {}, reason: "there is no command /nope" },
    {
      name: "a group without its sub-command",
      command: "dkp",
      options: {},
      reason: "a sub-command is missing",
    },
    {
      name: "an unknown sub-command",
      command: "dkp take",
      options: {},
      reason: "there is no sub-command take",
    },
    {
      name: "a missing option",
      command: "dkp award",
      options: { amount: 5 },
      reason: "option member is required",
    },
    {
      name: "an unknown option",
      command: "ping",
      options: { loud: true },
      reason: "there is no option loud",
    },
    {
      name: "too much",
      command: "dkp award",
      options: { member: "bert", amount: 101 },
      reason: "wants 1 to 100",
    },
    {
      name: "a fraction",
      command: "dkp award",
      options: { member: "bert", amount: 1.5 },
      reason: "a whole number",
    },
    {
      name: "a text for a number",
      command: "dkp award",
      options: { member: "bert", amount: "5" },
      reason: "a whole number",
    },
    {
      name: "a long text",
      command: "dkp award",
      options: { member: "bert", amount: 5, item: "x".repeat(21) },
      reason: "0 to 20 characters",
    },
    {
      name: "no choice",
      command: "dkp award",
      options: { member: "bert", amount: 5, pool: "alt" },
      reason: "one of its choices",
    },
    {
      name: "nobody",
      command: "dkp award",
      options: { member: "1", amount: 5 },
      reason: "somebody or something that exists",
    },
    { name: "what is for others", command: "secret", options: {}, reason: "Anna may not use /secret" },
  ])("$name", async ({ command, options, reason }) => {
    const { standIn, anna, bert } = await stage();
    const given = Object.fromEntries(
      Object.entries(options).map(([name, value]) => [name, value === "bert" ? bert : value]),
    );
    await expect(standIn.as(anna).command(command, given)).rejects.toThrow(reason);
  });

  test("a command to who may not use it, until an administrator says otherwise", async () => {
    const { standIn, application, guild, anna, olga } = await stage();
    await standIn.as(olga).command("secret");
    const allow = [{ target: anna, type: "user" as const, allow: true }];
    await standIn.setCommandAccess(application, guild, "secret", allow);
    await standIn.as(anna).command("secret");
    await standIn.setCommandAccess(application, guild, "ping", [
      { target: guild, type: "role", allow: false },
    ]);
    await expect(standIn.as(anna).command("ping")).rejects.toThrow("may not use /ping");
  });
});

describe("autocomplete", () => {
  test("offers what the bot answers, while the other options may be missing", async () => {
    const { standIn, session, rest, anna } = await stage();
    const choices = standIn.as(anna).autocomplete("dkp award", "item", { item: "ax" });
    const { d } = await session.event("INTERACTION_CREATE");
    expect(d).toMatchObject({
      type: 4,
      data: { options: [{ options: [{ name: "item", value: "ax", focused: true }] }] },
    });
    const path = `/interactions/${String(d["id"])}/${String(d["token"])}/callback`;
    const wrongKind = await rest("POST", path, { type: 8, data: { choices: [{ name: "Axe", value: 1 }] } });
    expect(wrongKind).toMatchObject({ status: 400, body: { code: 50035 } });
    const tooMany = Array.from({ length: 26 }, (_, n) => ({ name: `Axe ${n}`, value: `${n}` }));
    expect((await rest("POST", path, { type: 8, data: { choices: tooMany } })).status).toBe(400);
    await rest("POST", path, { type: 8, data: { choices: tooMany.slice(0, 25) } });
    expect(await choices).toHaveLength(25);
  });

  test("is not offered where it was not registered, and fails when nobody answers", async () => {
    const { standIn, anna, clock } = await stage();
    await expect(standIn.as(anna).autocomplete("dkp award", "amount")).rejects.toThrow("no autocomplete");
    const choices = standIn.as(anna).autocomplete("dkp award", "item", { item: "ax" });
    clock.advance(3_001);
    await expect(choices).rejects.toThrow("Loading options failed");
  });
});
