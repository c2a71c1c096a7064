import type { Progress } from "../cluster/progress.ts";
import type { Member } from "../discord/driver.ts";
import type { LoadReport } from "../discord/load.ts";
import { type BotHouse, openBotHouse } from "./bot-house.ts";
import type { Bundles } from "./bundles.ts";
import { type Figure, digits, median } from "./figures.ts";
import type { Program } from "./program.ts";

export type BotBench = { bundles: Bundles; rounds: number; progress: Progress };

type Round = {
  readyMs: number;
  rssMb: number;
  peakMb: number;
  bareMb: number;
  load: LoadReport;
  cpuSeconds: number;
};

const perSecond = 200;
const loadSeconds = 20;
const members = 50;

/** Runs the rounds, each on a database and a Discord of its own. */
export async function benchBot({ bundles, rounds, progress }: BotBench): Promise<Figure[]> {
  const done: Round[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    await progress.step(`round ${round} of ${rounds}: bot`, async (detail) => {
      done.push(await botRound(bundles, detail));
    });
    const { load } = done.at(-1) as Round;
    progress.note(
      `  of ${load.sent} commands: ${load.answeredOnce} answered once, ${load.failed} failed, ${load.answeredTwice} twice, ${load.unsettled} not`,
    );
  }
  return figures(done);
}

async function botRound(bundles: Bundles, detail: (text: string) => void): Promise<Round> {
  const house = await openBotHouse(bundles, members);
  try {
    detail("a bare client idles");
    const bare = await house.bareClient();
    const bareMb = await settled(bare);
    await bare.stop();
    detail("the bot idles");
    const { bot, readyMs } = await house.bot();
    const rssMb = await settled(bot);
    detail(`${perSecond} commands a second`);
    const { load, cpuSeconds } = await underLoad(house, bot);
    const { peakMb } = bot.usage();
    await bot.stop();
    return { readyMs, rssMb, peakMb, bareMb, load, cpuSeconds };
  } finally {
    await house.stop();
  }
}

/** Memory once what starting left behind has been collected: V8 does so by itself when nothing happens. */
async function settled(program: Program): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 20_000));
  return program.usage().rssMb;
}

async function underLoad({ discord, guild }: BotHouse, bot: Program) {
  const [officer, ...players] = guild.members;
  if (officer === undefined) throw new Error("the guild has no officer");
  const load = (commands: Told[], rate: number) => {
    const plan = { members: commands.map(({ member }) => member), commands };
    return discord.load({ perSecond: rate, durationMs: (commands.length * 1_000) / rate, plan });
  };
  const start = await discord.as(officer).command("auction start", { item: "Ashkandi", minutes: 60 });
  await start.reply();
  // Everybody has points to bid with, and what runs for the first time has run.
  await load(
    [...players, ...players].map((member, index) => award(officer, member, 1_000_000 + index)),
    25,
  );
  const before = bot.usage().cpuSeconds;
  const report = await load(mix(officer, players, perSecond * loadSeconds), perSecond);
  return { load: report, cpuSeconds: bot.usage().cpuSeconds - before };
}

type Told = { member: Member; name: string; options: Record<string, string> };

function award(officer: Member, { id }: Member, amount: number): Told {
  return {
    member: officer,
    name: "dkp award",
    options: { amount: String(amount), member: id, reason: "on time" },
  };
}

/** Of twenty commands fifteen ask for a balance, three are awards, two are rising bids on one auction. */
function mix(officer: Member, players: Member[], count: number): Told[] {
  return Array.from({ length: count }, (_, index) => {
    const member = players[index % players.length] ?? officer;
    const turn = index % 20;
    // Each award differs, since the same one within two minutes asks whether it is meant.
    if (turn % 7 === 0) return award(officer, member, 1 + index);
    if (turn % 10 === 9) {
      return { member, name: "auction bid", options: { auction: "a1", amount: String(100 + index * 10) } };
    }
    return { member, name: "dkp balance", options: {} };
  });
}

function figures(rounds: Round[]): Figure[] {
  const middle = (value: (round: Round) => number) => median(rounds.map(value));
  const ratio = middle(({ rssMb, bareMb }) => rssMb / bareMb);
  const rss = `${digits(middle(({ rssMb }) => rssMb))} MB against ${digits(middle(({ bareMb }) => bareMb))} MB`;
  const ready = middle(({ readyMs }) => readyMs);
  const p99 = middle(({ load }) => load.answered.p99);
  const acknowledged = middle(({ load }) => load.acknowledged.p99);
  const lost = rounds.reduce((total, { load }) => total + load.sent - load.answeredOnce, 0);
  return [
    {
      measure: "bot, idle RSS against a bare discord.js client",
      target: "≤ 1.0",
      measured: `${digits(ratio)} (${rss})`,
      met: ratio <= 1,
    },
    {
      measure: "bot, start to serving commands",
      target: "≤ 500 ms",
      measured: `${digits(ready)} ms`,
      met: ready <= 500,
    },
    {
      measure: `command in → answer, p50, p99 at ${perSecond}/s for ${loadSeconds} s`,
      target: "p99 ≤ 10 ms",
      measured: `${digits(middle(({ load }) => load.answered.p50))} ms, ${digits(p99)} ms`,
      met: p99 <= 10,
    },
    { measure: "command in → acknowledged, p99", target: "", measured: `${digits(acknowledged)} ms` },
    { measure: "commands not answered exactly once", target: "0", measured: String(lost), met: lost === 0 },
    {
      measure: "processor time a command",
      target: "",
      measured: `${digits(middle(({ cpuSeconds, load }) => (cpuSeconds * 1_000) / load.sent))} ms`,
    },
    {
      measure: "bot, peak RSS with that load",
      target: "",
      measured: `${digits(middle(({ peakMb }) => peakMb))} MB`,
    },
  ];
}
