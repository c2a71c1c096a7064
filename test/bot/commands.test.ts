import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Message, Options } from "../discord/driver.ts";
import type { Member } from "../discord/driver.ts";
import { house, until, type House } from "./house.ts";

let home: House;
let players: [Member, Member, Member, Member];

beforeAll(async () => {
  home = await house();
  await home.replica();
  await home.registered();
  const [one, two, three, four] = home.players;
  if (one === undefined || two === undefined || three === undefined || four === undefined) {
    throw new Error("the guild has too few players");
  }
  players = [one, two, three, four];
  await say(home.manager, "dkp-admin config set", {
    setting: "roles.officers",
    value: `<@&${home.officerRole.id}>`,
  });
});

afterAll(async () => {
  expect(await home.discord.violations()).toEqual([]);
  await home.close();
});

async function say(member: Member, command: string, options?: Options): Promise<Message> {
  const interaction = await home.discord.as(member).command(command, options);
  return interaction.reply();
}

/** All that a member sees of a message, without the formatting. */
function text(message: Message): string {
  const cards = message.embeds.map(({ title, description }) => `${title ?? ""}\n${description ?? ""}`);
  return [message.content, ...cards].join("\n").replaceAll("**", "");
}

async function posted(channel: number): Promise<string[]> {
  const place = home.guild.channels[channel];
  if (place === undefined) {
    throw new Error("no such channel");
  }
  return (await home.discord.messages(place)).map(text);
}

describe("points", () => {
  test("an award to several members is answered, announced and kept", async () => {
    const [one, two, three] = players;
    const reply = await say(home.officer, "dkp award", {
      amount: "100",
      member: one,
      members: `<@${two.id}>, <@${three.id}> <@${one.id}>`,
      reason: "Boss *kill*",
    });
    expect(reply.ephemeral).toBe(true);
    expect(text(reply)).toContain(`+100 dkp for <@${one.id}>, <@${two.id}> and <@${three.id}>`);
    await until(async () => (await posted(0)).some((post) => post.includes(String.raw`Boss \*kill\*`)));
    const rows = await home.rows<{ amount: string }>("select amount from balance where pool = 'dkp'");
    expect(rows.map(({ amount }) => amount)).toEqual(["10000", "10000", "10000"]);
  });

  test("nobody is pinged by anything the bot says", async () => {
    const all = await Promise.all(home.guild.channels.map((channel) => home.discord.messages(channel)));
    expect(all.flat().flatMap(({ notified }) => notified)).toEqual([]);
  });

  test("members see their points and history, and those of others", async () => {
    const [one, two] = players;
    expect(text(await say(one, "dkp balance"))).toContain("You have 100 dkp.");
    expect(text(await say(one, "dkp balance", { member: two }))).toContain(`<@${two.id}> has 100 dkp.`);
    const history = text(await say(one, "dkp history"));
    expect(history).toMatch(/#\d+` \+100 dkp award: Boss/);
    const newcomer = text(await say(players[3], "dkp history"));
    expect(newcomer).toContain("Nothing has happened");
  });

  test("standings are shown to everybody only when they are shared", async () => {
    const own = await say(players[0], "dkp standings");
    expect(own.ephemeral).toBe(true);
    expect(text(own)).toMatch(/1\s+100\s+player1/);
    const shared = await say(players[0], "dkp standings", { share: true });
    expect(shared.ephemeral).toBe(false);
  });

  test("the same award within two minutes asks first, and is given when it is confirmed", async () => {
    const [one, two, three] = players;
    const options = { amount: "100", members: [one, two, three].map(({ id }) => `<@${id}>`).join(" ") };
    const before = await home.events();
    const question = await say(home.officer, "dkp award", options);
    expect(text(question)).toContain("The same award was given");
    expect(await home.events()).toEqual(before);
    const pressed = await home.discord.as(home.officer).button(question, "Award again");
    expect(text(await pressed.reply())).toContain("+100 dkp");
    expect(await home.events()).toEqual([...before, "PointsAwarded"]);
  });

  test("a deduction takes points", async () => {
    const reply = await say(home.officer, "dkp deduct", { amount: "150", member: players[2] });
    expect(text(reply)).toContain(`<@${players[2].id}> now has 50 dkp.`);
  });

  test("an undo shows its consequences first and happens when it is confirmed", async () => {
    const [choice] = await home.discord.as(home.officer).autocomplete("dkp undo", "entry", { entry: 0 });
    expect(choice?.name).toContain("−150 dkp");
    const before = await home.events();
    const preview = await say(home.officer, "dkp undo", { entry: Number(choice?.value) });
    expect(text(preview)).toContain(`<@${players[2].id}>: +150 dkp, then has 200 dkp`);
    expect(await home.events()).toEqual(before);
    const pressed = await home.discord.as(home.officer).button(preview, `Undo #${choice?.value}`);
    expect(text(await pressed.reply())).toContain("was undone");
    expect(await home.events()).toEqual([...before, "EventReversed"]);
    expect(text(await say(players[2], "dkp balance"))).toContain("200 dkp");
  });

  test("long standings and histories turn pages", async () => {
    const many = await Promise.all(
      Array.from({ length: 45 }, (_, index) =>
        home.discord.addMember(home.guild, { name: `raider${index}` }),
      ),
    );
    await say(home.officer, "dkp award", { amount: "7", members: many.map(({ id }) => `<@${id}>`).join("") });
    const [first, ...others] = many;
    if (first === undefined) throw new Error("no raider");
    for (const [index] of others.slice(0, 12).entries()) {
      await say(home.officer, "dkp award", { amount: String(index + 1), member: first });
    }
    const page = await say(first, "dkp standings");
    expect(text(page)).toContain("player1");
    const next = await (await home.discord.as(first).button(page, "Next")).reply();
    expect(next.embeds[0]?.footer?.text).toContain("Page 2 of 3");
    const history = await say(first, "dkp history");
    const older = await (await home.discord.as(first).button(history, "Older")).reply();
    expect(text(older)).toContain("+7 dkp");
  });
});

describe("auctions", () => {
  test("an auction is started, bid on, closed, won and paid", async () => {
    const [one, two] = players;
    const rules = { minimum: "5", increment: "10" };
    const started = await say(home.officer, "auction start", { item: "Thunder_fury_", ...rules });
    expect(text(started)).toContain("from 5 dkp in steps of 10 dkp");
    const choices = () => home.discord.as(one).autocomplete("auction bid", "auction", { auction: "thun" });
    const [choice] = await choices();
    expect(choice?.name).toBe("Thunder_fury_ (a1, bid 5 dkp or more)");
    const auction = String(choice?.value);
    const leading = text(await say(one, "auction bid", { auction, amount: "20" }));
    expect(leading).toContain("which takes 25 dkp or more");
    expect((await choices())[0]?.name).toContain("bid 25 dkp or more");
    expect(text(await say(one, "dkp balance"))).toContain("20 dkp held by leading bids, 180 dkp available");
    expect(text(await say(two, "auction bid", { auction, amount: "40" }))).toContain("was outbid");
    expect(text(await say(one, "auction list"))).toContain(`40 dkp by <@${two.id}>, bid at least 45 dkp`);
    await until(async () => (await posted(0)).some((post) => post.includes("Highest bid: 40 dkp")));
    expect(text(await say(home.officer, "auction close", { auction }))).toContain("Bidding on");
    await until(async () =>
      (await posted(0)).some((post) => post.includes(`Won by <@${two.id}> for 40 dkp`)),
    );
    expect(text(await say(two, "dkp balance"))).toContain("You have 160 dkp.");
    expect(text(await say(one, "dkp balance"))).toContain("You have 200 dkp.");
  });

  test("a cancelled auction releases what it held", async () => {
    const [one] = players;
    const auction = await start("Ashkandi");
    await say(one, "auction bid", { auction, amount: "200" });
    expect(text(await say(home.officer, "auction cancel", { auction }))).toContain("has 200 dkp free again");
    expect(text(await say(one, "dkp balance"))).toContain("You have 200 dkp.");
    await until(async () => (await posted(0)).some((post) => post.includes("Cancelled.")));
  });

  test("an auction ends by itself when its time is over", async () => {
    await say(home.manager, "dkp-admin config set", { setting: "auctions.durationSeconds", value: "10" });
    const auction = await start("Atiesh");
    await say(players[1], "auction bid", { auction, amount: "5" });
    await until(async () =>
      (await posted(0)).some((post) => post.includes("Won by") && post.includes("Atiesh")),
    );
    const [row] = await home.rows<{ term: string }>(
      "select body::json ->> 'term' as term from event where type = 'AuctionSettled' order by seq desc limit 1",
    );
    expect(Number(row?.term)).toBeGreaterThan(0);
    await say(home.manager, "dkp-admin config set", {
      setting: "auctions.durationSeconds",
      value: "default",
    });
  });

  test("posts go to the configured channels", async () => {
    const [, auctions, results] = home.guild.channels;
    for (const [setting, channel] of [
      ["channels.auctions", auctions],
      ["channels.results", results],
    ] as const) {
      await say(home.manager, "dkp-admin config set", { setting, value: `<#${channel?.id}>` });
    }
    const auction = await start("Sulfuras");
    await until(async () => (await posted(1)).some((post) => post.includes("Sulfuras")));
    await say(players[0], "auction bid", { auction, amount: "3" });
    await say(home.officer, "auction close", { auction });
    await until(async () => (await posted(2)).some((post) => post.includes("Sulfuras: Won by")));
  });
});

async function start(item: string): Promise<string> {
  await say(home.officer, "auction start", { item });
  const choices = await home.discord
    .as(home.officer)
    .autocomplete("auction close", "auction", { auction: item });
  return String(choices[0]?.value);
}

describe("rules", () => {
  test("show where each comes from", async () => {
    const shown = text(await say(home.manager, "dkp-admin config show"));
    expect(shown).toContain(`\`roles.officers\`: <@&${home.officerRole.id}> — here`);
    expect(shown).toContain("`locale`: en — default");
  });

  test("take effect at once", async () => {
    await say(home.manager, "dkp-admin config set", { setting: "pools", value: "dkp:0, epic:2:10" });
    expect(text(await say(players[0], "dkp balance"))).toContain("10.00 epic");
    const reply = await say(home.officer, "dkp award", { amount: "0.25", member: players[0], pool: "epic" });
    expect(text(reply)).toContain("now has 10.25 epic");
  });
});
