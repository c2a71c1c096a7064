import { afterEach, describe, expect, test } from "vitest";
import type { Component } from "./driver.ts";
import { readySession, received, stagedGuild } from "./raw-client.ts";
import { startDiscord } from "./stand-in.ts";

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const row = (...components: Component[]): Component => ({ type: 1, components });
const button = (more: Record<string, unknown> = {}): Component => ({
  type: 2,
  style: 1,
  label: "Bid",
  custom_id: "bid",
  ...more,
});
const select = (more: Record<string, unknown> = {}): Component => ({
  type: 3,
  custom_id: "pick",
  options: [
    { label: "A", value: "a" },
    { label: "B", value: "b" },
  ],
  ...more,
});

async function stage() {
  const standIn = await startDiscord({ rateLimits: false });
  open.push(() => standIn.close());
  const staged = await stagedGuild(standIn);
  const session = await readySession(standIn, staged.application.token);
  /** Anna asks and the bot answers with components. */
  const shown = async (components: Component[], more: Record<string, unknown> = {}) => {
    const given = await standIn.as(staged.anna).command("ping");
    const { callback } = await received(session, given, staged.rest);
    const data = { content: "choose", components, ...more };
    const answer = await callback({ type: 4, data });
    expect(answer.status).toBe(204);
    return given.reply();
  };
  return { standIn, session, shown, ...staged };
}

describe("buttons and menus", () => {
  test("a pressed button carries its message, which type 7 changes in place", async () => {
    const { standIn, session, shown, rest, anna, bert } = await stage();
    const message = await shown([row(button(), button({ custom_id: "no", label: "Pass" }))]);
    const pressed = await standIn.as(bert).button(message, "Bid");
    const { payload, callback } = await received(session, pressed, rest);
    expect(payload).toMatchObject({
      type: 3,
      data: { custom_id: "bid", component_type: 2 },
      message: { id: message.id },
    });
    expect((await callback({ type: 7, data: { content: "bid by Bert", components: [] } })).status).toBe(204);
    expect(await pressed.reply()).toMatchObject({
      id: message.id,
      content: "bid by Bert",
      edits: 1,
      components: [],
    });
    await expect(standIn.as(anna).button(message, "Bid")).rejects.toThrow("the message has no Bid");
    expect(await standIn.violations()).toEqual([]);
  });

  test("a deferred update leaves the message and lets it be edited or followed up", async () => {
    const { standIn, session, shown, rest, anna } = await stage();
    const message = await shown([row(button())]);
    const pressed = await standIn.as(anna).button(message, "bid");
    const { callback, followup, original } = await received(session, pressed, rest);
    expect((await callback({ type: 6 })).status).toBe(204);
    expect(await pressed.record()).toMatchObject({ state: "deferred", original: { content: "choose" } });
    await followup({ content: "noted", flags: 64 });
    expect(await pressed.reply()).toMatchObject({ content: "noted", ephemeral: true });
    await original("PATCH", { content: "closed" });
    expect(await pressed.record()).toMatchObject({ original: { id: message.id, content: "closed" } });
  });

  test("a private message's buttons are pressed by its reader only, and not when disabled", async () => {
    const { standIn, shown, anna, bert } = await stage();
    const message = await shown([row(button(), button({ custom_id: "off", disabled: true }))], { flags: 64 });
    await expect(standIn.as(bert).button(message, "bid")).rejects.toThrow("Bert does not see the message");
    await expect(standIn.as(anna).button(message, "off")).rejects.toThrow("off is disabled");
    await standIn.as(anna).button(message, "bid");
  });

  test("a menu sends what was picked from what it offers", async () => {
    const { standIn, session, shown, rest, anna } = await stage();
    const message = await shown([row(select({ max_values: 1 }))]);
    await expect(standIn.as(anna).select(message, "pick", ["c"])).rejects.toThrow("does not offer c");
    await expect(standIn.as(anna).select(message, "pick", ["a", "b"])).rejects.toThrow("takes 1 to 1 values");
    const picked = await standIn.as(anna).select(message, "pick", ["b"]);
    const { payload } = await received(session, picked, rest);
    expect(payload).toMatchObject({ data: { custom_id: "pick", component_type: 3, values: ["b"] } });
  });

  test("a user menu resolves whom it names", async () => {
    const { standIn, session, shown, rest, anna, bert } = await stage();
    const message = await shown([row({ type: 5, custom_id: "who" })]);
    const picked = await standIn.as(anna).select(message, "who", [bert]);
    const { payload } = await received(session, picked, rest);
    expect(payload).toMatchObject({
      data: { values: [bert.id], resolved: { users: { [bert.id]: {} }, members: { [bert.id]: {} } } },
    });
  });
});

describe("modals", () => {
  const modal = {
    custom_id: "amount",
    title: "Bid",
    components: [
      {
        type: 18,
        label: "Amount",
        component: { type: 4, custom_id: "value", style: 1, min_length: 1, max_length: 5 },
      },
    ],
  };

  test("open as the first answer and come back with their inputs", async () => {
    const { standIn, session, shown, rest, anna, bert } = await stage();
    const message = await shown([row(button())]);
    const pressed = await standIn.as(anna).button(message, "bid");
    const { callback } = await received(session, pressed, rest);
    expect((await callback({ type: 9, data: modal })).status).toBe(204);
    const opened = await pressed.modal();
    await expect(standIn.as(anna).modal(opened, { value: "123456" })).rejects.toThrow(
      "value wants 1 to 5 characters",
    );
    await expect(standIn.as(anna).modal(opened, { other: "1" })).rejects.toThrow(
      "the modal has no input other",
    );
    await expect(standIn.as(bert).modal(opened, { value: "1" })).rejects.toThrow(
      "Bert does not see the modal",
    );
    const submitted = await standIn.as(anna).modal(opened, { value: "250" });
    const answer = await received(session, submitted, rest);
    expect(answer.payload).toMatchObject({
      type: 5,
      data: {
        custom_id: "amount",
        components: [{ type: 18, component: { custom_id: "value", value: "250" } }],
      },
      message: { id: message.id },
    });
    expect((await answer.callback({ type: 9, data: modal })).status).toBe(400);
    expect((await answer.callback({ type: 4, data: { content: "250 it is", flags: 64 } })).status).toBe(204);
    expect((await submitted.reply()).content).toBe("250 it is");
  });

  test("are refused after a deferral and with too many parts", async () => {
    const { standIn, session, rest, anna } = await stage();
    const many = {
      ...modal,
      components: Array.from({ length: 6 }, (_, n) => ({ ...modal.components[0], id: n + 1 })),
    };
    const given = await standIn.as(anna).command("ping");
    const { callback } = await received(session, given, rest);
    expect(await callback({ type: 9, data: many })).toMatchObject({ status: 400, body: { code: 50035 } });
    await callback({ type: 5 });
    expect(await callback({ type: 9, data: modal })).toMatchObject({ status: 400, body: { code: 40060 } });
  });
});

const text = (content: string): Component => ({ type: 10, content });
const v2 = 1 << 15;

describe("components are refused", () => {
  const five = Array.from({ length: 5 }, (_, n) => button({ custom_id: `b${n}` }));
  test.each<{ name: string; bad: object; good: object; where: string[] }>([
    {
      name: "with one custom_id twice",
      bad: { components: [row(button(), button())] },
      good: { components: [row(button(), button({ custom_id: "other" }))] },
      where: ["components", "0", "components", "1", "custom_id"],
    },
    {
      name: "with six in a row",
      bad: { components: [row(...five, button())] },
      good: { components: [row(...five)] },
      where: ["components", "0", "components"],
    },
    {
      name: "with six rows",
      bad: { components: Array.from({ length: 6 }, (_, n) => row(button({ custom_id: `r${n}` }))) },
      good: { components: Array.from({ length: 5 }, (_, n) => row(button({ custom_id: `r${n}` }))) },
      where: ["components"],
    },
    {
      name: "with a menu beside a button",
      bad: { components: [row(select(), button())] },
      good: { components: [row(select()), row(button())] },
      where: ["components", "0", "components"],
    },
    {
      name: "with a custom_id of 101 characters",
      bad: { components: [row(button({ custom_id: "x".repeat(101) }))] },
      good: { components: [row(button({ custom_id: "x".repeat(100) }))] },
      where: ["components", "0", "components", "0", "custom_id"],
    },
    {
      name: "with a button that says nothing",
      bad: { components: [row(button({ label: undefined }))] },
      good: { components: [row(button({ label: undefined, emoji: { name: "🎲" } }))] },
      where: ["components", "0", "components", "0"],
    },
    {
      name: "with a link that has a custom_id",
      bad: { components: [row(button({ style: 5, url: "https://dkp.dev" }))] },
      good: { components: [row(button({ style: 5, url: "https://dkp.dev", custom_id: undefined }))] },
      where: ["components", "0", "components", "0"],
    },
    {
      name: "with a menu of 26 options",
      bad: {
        components: [
          row(select({ options: Array.from({ length: 26 }, (_, n) => ({ label: `${n}`, value: `${n}` })) })),
        ],
      },
      good: {
        components: [
          row(select({ options: Array.from({ length: 25 }, (_, n) => ({ label: `${n}`, value: `${n}` })) })),
        ],
      },
      where: ["components", "0", "components", "0", "options"],
    },
    {
      name: "of version 2 without its flag",
      bad: { components: [text("hello")] },
      good: { content: "", components: [text("hello")], flags: v2 },
      where: ["components", "0", "type"],
    },
    {
      name: "of version 2 beside content",
      bad: { content: "hello", components: [text("hello")], flags: v2 },
      good: { content: "", components: [text("hello")], flags: v2 },
      where: ["content"],
    },
    {
      name: "of version 2 with more than forty, nested ones included",
      bad: {
        content: "",
        flags: v2,
        components: [{ type: 17, components: Array.from({ length: 40 }, () => text("x")) }],
      },
      good: {
        content: "",
        flags: v2,
        components: [{ type: 17, components: Array.from({ length: 39 }, () => text("x")) }],
      },
      where: ["components"],
    },
    {
      name: "of version 2 with more than 4,000 characters shown",
      bad: { content: "", flags: v2, components: [text("x".repeat(4_000)), text("y")] },
      good: { content: "", flags: v2, components: [text("x".repeat(3_999)), text("y")] },
      where: ["components"],
    },
  ])("$name", async ({ bad, good, where }) => {
    const { rest, general, standIn } = await stage();
    const path = `/channels/${general.id}/messages`;
    const refused = await rest("POST", path, { content: "choose", ...bad });
    expect(refused).toMatchObject({ status: 400, body: { code: 50035 } });
    expect(refused.body).toHaveProperty(["errors", ...where, "_errors"]);
    expect(await standIn.violations()).toHaveLength(1);
    const taken = await rest("POST", path, { content: "choose", ...good });
    expect(taken.body.errors).toBeUndefined();
    expect(taken.status).toBe(200);
    expect(await standIn.violations()).toHaveLength(1);
  });
});
