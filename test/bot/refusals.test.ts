import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Member, Message, Options } from "../discord/driver.ts";
import { house, until, type House } from "./house.ts";

let home: House;
let one: Member;
let two: Member;
let gone: Member;

beforeAll(async () => {
  home = await house();
  await home.replica();
  await home.registered();
  const [first, second, third] = home.players;
  if (first === undefined || second === undefined || third === undefined) {
    throw new Error("the guild has too few players");
  }
  [one, two, gone] = [first, second, third];
  await say(home.manager, "dkp award", { amount: "50", member: one });
  await say(home.manager, "auction start", { item: "Benediction", minimum: "10", increment: "5" });
  await say(home.manager, "auction start", { item: "Anathema", minimum: "10" });
  await say(home.manager, "auction cancel", { auction: "a2" });
  await say(one, "auction bid", { auction: "a1", amount: "40" });
  await home.discord.removeMember(gone);
});

afterAll(async () => {
  expect(await home.discord.violations()).toEqual([]);
  await home.close();
});

async function say(member: Member, command: string, options?: Options): Promise<Message> {
  return (await home.discord.as(member).command(command, options)).reply();
}

type Case = { member(): Member; command: string; options(): Options; sentence: RegExp };

const cases: Record<string, Case> = {
  "an award by somebody who is no officer": {
    member: () => one,
    command: "dkp award",
    options: () => ({ amount: "10", member: one }),
    sentence: /^This is for officers/,
  },
  "a deduction by somebody who is no officer": {
    member: () => one,
    command: "dkp deduct",
    options: () => ({ amount: "10", member: two }),
    sentence: /^This is for officers/,
  },
  "an undo by somebody who is no officer": {
    member: () => one,
    command: "dkp undo",
    options: () => ({ entry: 4 }),
    sentence: /^This is for officers/,
  },
  "an auction started by somebody who is no officer": {
    member: () => one,
    command: "auction start",
    options: () => ({ item: "Mine" }),
    sentence: /^This is for officers/,
  },
  "an auction closed by somebody who is no officer": {
    member: () => one,
    command: "auction close",
    options: () => ({ auction: "a1" }),
    sentence: /^This is for officers/,
  },
  "an auction cancelled by somebody who is no officer": {
    member: () => one,
    command: "auction cancel",
    options: () => ({ auction: "a1" }),
    sentence: /^This is for officers/,
  },
  "an award to nobody": {
    member: () => home.manager,
    command: "dkp award",
    options: () => ({ amount: "10" }),
    sentence: /^Nobody was named/,
  },
  "an award to somebody who left": {
    member: () => home.manager,
    command: "dkp award",
    options: () => ({ amount: "10", member: gone }),
    sentence: /is not a member of this server: choose somebody who is\.$/,
  },
  "an award to somebody mentioned who left": {
    member: () => home.manager,
    command: "dkp award",
    options: () => ({ amount: "10", members: `<@${one.id}> <@${gone.id}>` }),
    sentence: /is not a member of this server/,
  },
  "an award to words": {
    member: () => home.manager,
    command: "dkp award",
    options: () => ({ amount: "10", members: "everyone in the raid" }),
    sentence: /^`members` takes mentions only/,
  },
  "an amount that is a word": {
    member: () => home.manager,
    command: "dkp award",
    options: () => ({ amount: "ten", member: one }),
    sentence: /^“ten” is not an amount: write a number/,
  },
  "an amount with decimals where the pool has none": {
    member: () => home.manager,
    command: "dkp award",
    options: () => ({ amount: "10.5", member: one }),
    sentence: /has decimals, but this pool counts whole points: write a whole number\.$/,
  },
  "an amount with three decimals": {
    member: () => home.manager,
    command: "dkp award",
    options: () => ({ amount: "10.123", member: one }),
    sentence: /whole number|not an amount|too many decimals/,
  },
  "a negative amount": {
    member: () => home.manager,
    command: "dkp award",
    options: () => ({ amount: "-5", member: one }),
    sentence: /not an amount|more than 0/,
  },
  "an amount of nothing": {
    member: () => home.manager,
    command: "dkp deduct",
    options: () => ({ amount: "0", member: one }),
    sentence: /more than 0/,
  },
  "an amount beyond all measure": {
    member: () => home.manager,
    command: "dkp award",
    options: () => ({ amount: "99999999999999", member: one }),
    sentence: /^That is too large: the most that fits/,
  },
  "an amount in exponents": {
    member: () => home.manager,
    command: "dkp award",
    options: () => ({ amount: "1e3", member: one }),
    sentence: /is not an amount/,
  },
  "a pool that does not exist": {
    member: () => home.manager,
    command: "dkp award",
    options: () => ({ amount: "10", member: one, pool: "gold" }),
    sentence: /^There is no pool “gold”: choose dkp\.$/,
  },
  "the standings of a pool that does not exist": {
    member: () => one,
    command: "dkp standings",
    options: () => ({ pool: "@everyone" }),
    sentence: /^There is no pool “\\@everyone”/,
  },
  "a bid above what one has": {
    member: () => one,
    command: "auction bid",
    options: () => ({ auction: "a1", amount: "5000" }),
    sentence: /^That needs 5 000 dkp, but you have 50 dkp available: choose a smaller amount\.$/u,
  },
  "a bid of somebody who has nothing": {
    member: () => two,
    command: "auction bid",
    options: () => ({ auction: "a1", amount: "45" }),
    sentence: /you have 0 dkp available/,
  },
  "a bid below the next step": {
    member: () => one,
    command: "auction bid",
    options: () => ({ auction: "a1", amount: "41" }),
    sentence: /is too low: bid at least 45 dkp\.$/,
  },
  "a bid on an auction that is closed": {
    member: () => one,
    command: "auction bid",
    options: () => ({ auction: "a2", amount: "20" }),
    sentence: /^The auction of .* is closed/,
  },
  "a bid on an auction that never was": {
    member: () => one,
    command: "auction bid",
    options: () => ({ auction: "a77", amount: "20" }),
    sentence: /^There is no auction/,
  },
  "a bid on something else": {
    member: () => one,
    command: "auction bid",
    options: () => ({ auction: "Benediction", amount: "20" }),
    sentence: /^There is no such auction/,
  },
  "an auction that ends at once": {
    member: () => home.manager,
    command: "auction start",
    options: () => ({ item: "Ring", minimum: "x" }),
    sentence: /is not an amount/,
  },
  "an undo of what never was": {
    member: () => home.manager,
    command: "dkp undo",
    options: () => ({ entry: 4242 }),
    sentence: /^There is no entry #4242/,
  },
  "an undo of what cannot be undone": {
    member: () => home.manager,
    command: "dkp undo",
    options: () => ({ entry: 1 }),
    sentence: /^Entry #1 cannot be undone/,
  },
  "a rule that is none": {
    member: () => home.manager,
    command: "dkp-admin config set",
    options: () => ({ setting: "timeZone", value: "Mars/Olympus" }),
    sentence: /^`timeZone` cannot be that/,
  },
  "a number that is none": {
    member: () => home.manager,
    command: "dkp-admin config set",
    options: () => ({ setting: "auctions.durationSeconds", value: "soon" }),
    sentence: /does not fit `auctions\.durationSeconds`: write a whole number\.$/,
  },
  "a channel that is none": {
    member: () => home.manager,
    command: "dkp-admin config set",
    options: () => ({ setting: "channels.results", value: "#results" }),
    sentence: /mention one channel\.$/,
  },
  "a pool that members still have points in": {
    member: () => home.manager,
    command: "dkp-admin config set",
    options: () => ({ setting: "pools", value: "gold" }),
    sentence: /^The pool dkp has balances/,
  },
};

describe("is refused in one short sentence that only its member sees, and nothing is written", () => {
  test.each(Object.entries(cases))("%s", async (_, { member, command, options, sentence }) => {
    const before = await home.rows("select count(*) as events, max(seq) as head from event");
    const reply = await say(member(), command, options());
    expect(reply.content.replaceAll("\u202F", " ").replaceAll("**", "")).toMatch(sentence);
    expect(reply.ephemeral).toBe(true);
    expect(reply.content.split("\n")).toHaveLength(1);
    expect(reply.embeds).toEqual([]);
    expect(await home.rows("select count(*) as events, max(seq) as head from event")).toEqual(before);
    await until(async () => (await home.rows("select 1 from inbox where finished_at is null")).length === 0);
  });
});

test("a button of somebody else's question does nothing for a stranger", async () => {
  await say(home.manager, "dkp award", { amount: "3", member: two });
  const question = await say(home.manager, "dkp award", { amount: "3", member: two });
  const before = await home.events();
  await expect(home.discord.as(one).button(question, "Award again")).rejects.toThrow();
  expect(await home.events()).toEqual(before);
});

test("an operational failure is told by a reference that the log has", async () => {
  const own = await house({ postgres: home.postgres });
  try {
    const replica = await own.replica();
    await own.registered();
    await own.rows("alter table identity rename to identity_elsewhere");
    const reply = await (await own.discord.as(own.manager).command("dkp balance")).reply();
    await own.rows("alter table identity_elsewhere rename to identity");
    expect(reply.ephemeral).toBe(true);
    const reference = /reference `([0-9a-f]{8})`/.exec(reply.content)?.[1];
    expect(reference).toBeDefined();
    expect(replica.logs.find((line) => line["reference"] === reference)).toMatchObject({
      msg: "command failed",
    });
    expect(reply.content).not.toMatch(/identity|relation/);
  } finally {
    await own.close();
  }
});
