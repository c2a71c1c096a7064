import { afterEach, describe, expect, test } from "vitest";
import { adjustableClock } from "./clock.ts";
import { stagedGuild } from "./raw-client.ts";
import { startDiscord } from "./stand-in.ts";

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function stage() {
  const clock = adjustableClock();
  const standIn = await startDiscord({ clock, rateLimits: false });
  open.push(() => standIn.close());
  return { clock, standIn, ...(await stagedGuild(standIn)) };
}

const option = (more: object = {}) => ({ type: 3, name: "item", description: "What", ...more });
const command = (more: object = {}) => ({ name: "raid", description: "Raids", ...more });
const many = (count: number, make: (n: number) => object) => Array.from({ length: count }, (_, n) => make(n));

describe("a command is refused", () => {
  test.each<{ name: string; bad: object; good: object; where: string[] }>([
    {
      name: "with an upper-case name",
      bad: command({ name: "Raid" }),
      good: command({ name: "raid" }),
      where: ["name"],
    },
    {
      name: "with a space in its name",
      bad: command({ name: "ra id" }),
      good: command({ name: "ra-id" }),
      where: ["name"],
    },
    {
      name: "with a name of 33 characters",
      bad: command({ name: "x".repeat(33) }),
      good: command({ name: "x".repeat(32) }),
      where: ["name"],
    },
    {
      name: "without a description",
      bad: command({ description: "" }),
      good: command(),
      where: ["description"],
    },
    {
      name: "with a description of 101 characters",
      bad: command({ description: "x".repeat(101) }),
      good: command({ description: "x".repeat(100) }),
      where: ["description"],
    },
    {
      name: "with 26 options",
      bad: command({ options: many(26, (n) => option({ name: `o${n}` })) }),
      good: command({ options: many(25, (n) => option({ name: `o${n}` })) }),
      where: ["options"],
    },
    {
      name: "with a required option after one that is not",
      bad: command({ options: [option(), option({ name: "who", required: true })] }),
      good: command({ options: [option({ name: "who", required: true }), option()] }),
      where: ["options", "1"],
    },
    {
      name: "with one option's name twice",
      bad: command({ options: [option(), option()] }),
      good: command({ options: [option(), option({ name: "other" })] }),
      where: ["options", "1", "name"],
    },
    {
      name: "with 26 choices",
      bad: command({ options: [option({ choices: many(26, (n) => ({ name: `c${n}`, value: `${n}` })) })] }),
      good: command({ options: [option({ choices: many(25, (n) => ({ name: `c${n}`, value: `${n}` })) })] }),
      where: ["options", "0", "choices"],
    },
    {
      name: "with choices and autocomplete at once",
      bad: command({ options: [option({ autocomplete: true, choices: [{ name: "a", value: "a" }] })] }),
      good: command({ options: [option({ choices: [{ name: "a", value: "a" }] })] }),
      where: ["options", "0", "choices"],
    },
    {
      name: "with a number as the choice of a text",
      bad: command({ options: [option({ choices: [{ name: "a", value: 1 }] })] }),
      good: command({ options: [option({ type: 4, choices: [{ name: "a", value: 1 }] })] }),
      where: ["options", "0", "choices", "0", "value"],
    },
    {
      name: "with a least value above the most",
      bad: command({ options: [option({ type: 4, min_value: 5, max_value: 4 })] }),
      good: command({ options: [option({ type: 4, min_value: 4, max_value: 4 })] }),
      where: ["options", "0", "max_value"],
    },
    {
      name: "with an option of no known type",
      bad: command({ options: [option({ type: 12 })] }),
      good: command({ options: [option({ type: 11 })] }),
      where: ["options", "0", "type"],
    },
    {
      name: "with sub-commands beside options",
      bad: command({ options: [{ type: 1, name: "start", description: "Start" }, option()] }),
      good: command({ options: [{ type: 1, name: "start", description: "Start", options: [option()] }] }),
      where: ["options"],
    },
    {
      name: "of more than 8,000 characters in all",
      bad: command({ options: large(80) }),
      good: command({ options: large(79) }),
      where: [],
    },
  ])("$name", async ({ bad, good, where }) => {
    const { rest, commandsPath, standIn } = await stage();
    const refused = await rest("POST", commandsPath, bad);
    expect(refused).toMatchObject({ status: 400, body: { code: 50035 } });
    expect(refused.body).toHaveProperty(["errors", ...where, "_errors"]);
    expect(await standIn.violations()).toHaveLength(1);
    const taken = await rest("POST", commandsPath, good);
    expect(taken.body.errors).toBeUndefined();
    expect(taken.status).toBe(201);
    expect(await standIn.violations()).toHaveLength(1);
  });
});

const hundred = (n: number) => option({ name: `o${n}`.padEnd(10, "x"), description: "d".repeat(90) });

/** Options of 100 characters each, 25 in each of four sub-commands at most. */
function large(count: number): object[] {
  return [0, 1, 2, 3].map((group) => ({
    type: 1,
    name: `s${group}`,
    description: "d",
    options: many(Math.max(0, Math.min(25, count - group * 25)), hundred),
  }));
}

describe("the commands of a guild", () => {
  test("are replaced as a whole; what stays keeps its id", async () => {
    const { rest, commandsPath, standIn, application, guild } = await stage();
    const before = await standIn.commands(application, guild);
    const kept = before.find(({ name }) => name === "ping");
    const { body } = await rest("PUT", commandsPath, [{ name: "ping", description: "New words" }, command()]);
    expect(body).toMatchObject([{ name: "ping", description: "New words", id: kept?.id }, { name: "raid" }]);
    expect(await standIn.commands(application, guild)).toHaveLength(2);
    expect((await rest("DELETE", `${commandsPath}/${kept?.id ?? ""}`)).status).toBe(204);
    expect(await rest("GET", `${commandsPath}/${kept?.id ?? ""}`)).toMatchObject({
      status: 404,
      body: { code: 10063 },
    });
    expect(await standIn.violations()).toEqual([]);
  });

  test("are a hundred at most, each name once", async () => {
    const { rest, commandsPath } = await stage();
    const whole = many(100, (n) => command({ name: `c${n}` }));
    expect((await rest("PUT", commandsPath, whole)).status).toBe(200);
    expect(await rest("POST", commandsPath, command())).toMatchObject({ status: 400, body: { code: 30032 } });
    const more = await rest("PUT", commandsPath, [...whole, command()]);
    expect(more).toMatchObject({ status: 400, body: { code: 30032 } });
    const twice = await rest("PUT", commandsPath, [command(), command()]);
    expect(twice.body).toHaveProperty(["errors", "1", "name", "_errors"]);
  });

  test("are created two hundred times a day at most; updates cost nothing", async () => {
    const { rest, commandsPath, clock } = await stage();
    const set = (from: number) =>
      rest(
        "PUT",
        commandsPath,
        many(98, (n) => command({ name: `c${from + n}` })),
      );
    expect((await set(0)).status).toBe(200);
    expect((await set(100)).status).toBe(200);
    expect((await set(100)).status).toBe(200);
    expect(await set(200)).toMatchObject({ status: 400, body: { code: 30034 } });
    clock.advance(86_400_001);
    expect((await set(200)).status).toBe(200);
  });

  test("belong to the application and to guilds that it is in", async () => {
    const { rest, standIn, application, guild } = await stage();
    const other = await standIn.addGuild();
    const abroad = `/applications/${application.id}/guilds/${other.id}/commands`;
    expect(await rest("PUT", abroad, [])).toMatchObject({ status: 403, body: { code: 50001 } });
    const strange = `/applications/1/guilds/${guild.id}/commands`;
    expect(await rest("PUT", strange, [])).toMatchObject({ status: 403, body: { code: 20012 } });
    await standIn.kick(guild, application);
    const own = `/applications/${application.id}/guilds/${guild.id}/commands`;
    expect(await rest("GET", own)).toMatchObject({ status: 403, body: { code: 50001 } });
  });

  test("are a list", async () => {
    const { rest, commandsPath } = await stage();
    expect(await rest("PUT", commandsPath, command())).toMatchObject({ status: 400, body: { code: 50035 } });
  });
});
