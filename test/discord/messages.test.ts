import { PermissionFlagsBits as Permission } from "discord-api-types/v10";
import { afterEach, describe, expect, test } from "vitest";
import { readySession, stagedGuild } from "./raw-client.ts";
import { startDiscord } from "./stand-in.ts";

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function stage() {
  const standIn = await startDiscord({ rateLimits: false });
  open.push(() => standIn.close());
  const staged = await stagedGuild(standIn);
  const path = `/channels/${staged.general.id}/messages`;
  const post = (body: object) => staged.rest("POST", path, body);
  return { standIn, path, post, ...staged };
}

const sorted = (ids: string[]) => [...ids].sort();
const field = { name: "n".repeat(256), value: "v".repeat(1_024) };

describe("a message is refused", () => {
  test.each<{ name: string; bad: object; good: object; where: string[] }>([
    {
      name: "over 2,000 characters",
      bad: { content: "x".repeat(2_001) },
      good: { content: "x".repeat(2_000) },
      where: ["content"],
    },
    {
      name: "with eleven embeds",
      bad: { embeds: Array.from({ length: 11 }, () => ({ title: "x" })) },
      good: { embeds: Array.from({ length: 10 }, () => ({ title: "x" })) },
      where: ["embeds"],
    },
    {
      name: "with more than 6,000 characters in its embeds together",
      bad: { embeds: [{ description: "x".repeat(4_096) }, { description: "x".repeat(1_905) }] },
      good: { embeds: [{ description: "x".repeat(4_096) }, { description: "x".repeat(1_904) }] },
      where: ["embeds"],
    },
    {
      name: "with an embed of 26 fields",
      bad: { embeds: [{ fields: Array.from({ length: 26 }, () => ({ name: "a", value: "b" })) }] },
      good: { embeds: [{ fields: Array.from({ length: 25 }, () => ({ name: "a", value: "b" })) }] },
      where: ["embeds", "0", "fields"],
    },
    {
      name: "with a field's name over 256 characters",
      bad: { embeds: [{ fields: [{ ...field, name: `${field.name}n` }] }] },
      good: { embeds: [{ fields: [field] }] },
      where: ["embeds", "0", "fields", "0", "name"],
    },
    {
      name: "with an embed that is empty",
      bad: { embeds: [{ color: 1 }] },
      good: { embeds: [{ title: "x" }] },
      where: ["embeds", "0", "description"],
    },
    {
      name: "with mentions both parsed and listed",
      bad: { content: "x", allowed_mentions: { parse: ["users"], users: ["1"] } },
      good: { content: "x", allowed_mentions: { parse: ["roles"], users: ["1"] } },
      where: ["allowed_mentions"],
    },
    {
      name: "with a nonce over 25 characters",
      bad: { content: "x", nonce: "x".repeat(26) },
      good: { content: "x", nonce: "x".repeat(25) },
      where: ["nonce"],
    },
    { name: "whose content is no text", bad: { content: 5 }, good: { content: "5" }, where: ["content"] },
  ])("$name", async ({ bad, good, where }) => {
    const { post, standIn } = await stage();
    const refused = await post(bad);
    expect(refused).toMatchObject({ status: 400, body: { code: 50035, message: "Invalid Form Body" } });
    expect(refused.body).toHaveProperty(["errors", ...where, "_errors"]);
    expect(await standIn.violations()).toMatchObject([{ kind: "request", method: "POST" }]);
    expect((await post(good)).status).toBe(200);
    expect(await standIn.violations()).toHaveLength(1);
  });

  test("that says nothing", async () => {
    const { post } = await stage();
    expect(await post({ content: "" })).toMatchObject({ status: 400, body: { code: 50006 } });
  });

  test("that is no JSON", async () => {
    const { rest, path } = await stage();
    expect(await rest("POST", path, "{")).toMatchObject({ status: 400, body: { code: 50109 } });
  });

  test("a field that Discord would ignore in silence is told apart", async () => {
    const { post, standIn } = await stage();
    expect((await post({ content: "x", ephemeral: true, tts: false })).status).toBe(200);
    expect(await standIn.violations()).toMatchObject([
      { message: "fields that Discord does not know: ephemeral" },
    ]);
  });
});

describe("permissions", () => {
  test.each([
    { name: "reading", deny: Permission.ViewChannel, body: { content: "x" }, code: 50001 },
    { name: "writing", deny: Permission.SendMessages, body: { content: "x" }, code: 50013 },
    { name: "embedding", deny: Permission.EmbedLinks, body: { embeds: [{ title: "x" }] }, code: 50013 },
  ])("$name may be denied to the bot in a channel", async ({ deny, body, code }) => {
    const { post, standIn, general, application } = await stage();
    await standIn.setOverwrites(general, [{ target: application, type: "member", deny }]);
    expect(await post(body)).toMatchObject({ status: 403, body: { code } });
    await standIn.setOverwrites(general, [
      { target: general.guildId, type: "role", deny },
      { target: application, type: "member", allow: deny },
    ]);
    expect((await post(body)).status).toBe(200);
  });

  test("a member does not see or write where it is denied", async () => {
    const { standIn, general, loot, anna, guild } = await stage();
    await standIn.setOverwrites(loot, [{ target: guild, type: "role", deny: Permission.ViewChannel }]);
    await expect(standIn.as(anna).command("ping", {}, { channel: loot })).rejects.toThrow(
      "does not see channel loot",
    );
    await standIn.setOverwrites(general, [{ target: anna, type: "member", deny: Permission.SendMessages }]);
    await expect(standIn.as(anna).say(general, "hi")).rejects.toThrow("may not write in general");
  });

  test("answers to interactions need no permission to write", async () => {
    const { standIn, general, application, anna, rest } = await stage();
    const session = await readySession(standIn, application.token);
    await standIn.setOverwrites(general, [
      { target: application, type: "member", deny: Permission.SendMessages },
    ]);
    const given = await standIn.as(anna).command("ping");
    const { d } = await session.event("INTERACTION_CREATE");
    await rest("POST", `/interactions/${given.id}/${String(d["token"])}/callback`, {
      type: 4,
      data: { content: "pong" },
    });
    expect((await given.reply()).content).toBe("pong");
  });
});

describe("a channel's messages", () => {
  test("an enforced nonce posts once", async () => {
    const { post, standIn, general } = await stage();
    const first = await post({ content: "once", nonce: "42", enforce_nonce: true });
    const again = await post({ content: "once", nonce: "42", enforce_nonce: true });
    expect(again.body.id).toBe(first.body.id);
    expect((await post({ content: "once", nonce: "42" })).body.id).not.toBe(first.body.id);
    expect((await post({ content: "other", nonce: "43", enforce_nonce: true })).status).toBe(200);
    expect(await standIn.messages(general)).toHaveLength(3);
  });

  test("are edited and deleted by who wrote them", async () => {
    const { rest, path, post, standIn, general, anna } = await stage();
    const { body } = await post({ content: "mine" });
    expect((await rest("PATCH", `${path}/${body.id}`, { content: "changed" })).body).toMatchObject({
      content: "changed",
      edited_timestamp: expect.any(String) as string,
    });
    const hers = await standIn.as(anna).say(general, "hers");
    expect(await rest("PATCH", `${path}/${hers.id}`, { content: "x" })).toMatchObject({
      status: 403,
      body: { code: 50005 },
    });
    expect(await rest("DELETE", `${path}/${hers.id}`)).toMatchObject({ status: 403, body: { code: 50013 } });
    expect((await rest("DELETE", `${path}/${body.id}`)).status).toBe(204);
    expect(await rest("PATCH", `${path}/${body.id}`, { content: "x" })).toMatchObject({
      status: 404,
      body: { code: 10008 },
    });
    expect(await standIn.messages(general)).toMatchObject([{ content: "hers" }]);
  });

  test("notify whom allowed_mentions allows", async () => {
    const { post, standIn, general, anna, bert, olga, guild } = await stage();
    const content = `<@${anna.id}> <@${bert.id}> <@&${guild.roles[0]?.id ?? ""}> @everyone`;
    await post({ content });
    await post({ content, allowed_mentions: { parse: [] } });
    await post({ content, allowed_mentions: { users: [anna.id] } });
    const notified = (await standIn.messages(general)).map((message) => sorted(message.notified));
    expect(notified).toEqual([sorted([anna.id, bert.id, olga.id]), [], [anna.id]]);
    expect((await standIn.messages(general)).map((message) => message.mention_everyone)).toEqual([
      false,
      false,
      false,
    ]);
  });

  test("carry files, which can be fetched", async () => {
    const { standIn, application, path, general } = await stage();
    const form = new FormData();
    form.set(
      "payload_json",
      JSON.stringify({ content: "log", attachments: [{ id: "0", filename: "log.txt" }] }),
    );
    form.set("files[0]", new Blob(["hello"], { type: "text/plain" }), "log.txt");
    const headers = {
      authorization: `Bot ${application.token}`,
      "user-agent": "DiscordBot (https://dkp.dev, 1)",
    };
    const response = await fetch(`${standIn.apiUrl}/v10${path}`, { method: "POST", headers, body: form });
    expect(response.status).toBe(200);
    const [message] = await standIn.messages(general);
    const attachment = message?.attachments[0];
    expect(attachment).toMatchObject({ filename: "log.txt", size: 5 });
    expect(await (await fetch(attachment?.url ?? "")).text()).toBe("hello");
    expect(await standIn.violations()).toEqual([]);
  });
});

describe("reads", () => {
  test("answer what the schema says, for everything that a bot may look at", async () => {
    const { rest, standIn, application, guild, general, anna, path, post } = await stage();
    const { body } = await post({
      content: "x",
      embeds: [{ title: "t", timestamp: new Date().toISOString() }],
    });
    const paths = [
      "/gateway",
      "/gateway/bot",
      "/users/@me",
      `/users/${anna.id}`,
      "/applications/@me",
      "/oauth2/applications/@me",
      `/guilds/${guild.id}?with_counts=true`,
      `/guilds/${guild.id}/channels`,
      `/guilds/${guild.id}/roles`,
      `/guilds/${guild.id}/roles/${guild.roles[0]?.id ?? ""}`,
      `/guilds/${guild.id}/members/${anna.id}`,
      `/guilds/${guild.id}/members/@me`,
      `/channels/${general.id}`,
      path,
      `${path}/${body.id ?? ""}`,
      `/applications/${application.id}/guilds/${guild.id}/commands`,
    ];
    for (const read of paths)
      expect({ read, status: (await rest("GET", read)).status }).toEqual({ read, status: 200 });
    expect(await standIn.violations()).toEqual([]);
  });

  test.each([
    { path: "/guilds/1", status: 404, code: 10004 },
    { path: "/channels/1", status: 404, code: 10003 },
    { path: "/guilds/:guild/members/1", status: 404, code: 10013 },
    { path: "/guilds/:guild/roles/1", status: 404, code: 10011 },
    { path: "/nowhere", status: 404, code: 0 },
  ])("of what is not there answer $code: $path", async ({ path, status, code }) => {
    const { rest, guild } = await stage();
    expect(await rest("GET", path.replace(":guild", guild.id))).toMatchObject({ status, body: { code } });
  });

  test("of a guild without the bot are refused", async () => {
    const { rest, standIn } = await stage();
    const other = await standIn.addGuild();
    expect(await rest("GET", `/guilds/${other.id}`)).toMatchObject({ status: 403, body: { code: 50001 } });
    expect(await rest("GET", `/channels/${other.channels[0]?.id}`)).toMatchObject({
      status: 403,
      body: { code: 50001 },
    });
  });

  test("with a wrong token are unauthorized, and counted", async () => {
    const { standIn, rest } = await stage();
    const before = await standIn.invalidRequests();
    const refused = await rest("GET", "/users/@me", undefined, { authorization: "Bot wrong" });
    expect(refused).toMatchObject({ status: 401, body: { code: 0 } });
    expect(await standIn.invalidRequests()).toBe(before + 1);
  });
});
