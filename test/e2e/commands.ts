import { expect } from "vitest";
import type { LoadReport } from "../discord/load.ts";
import { sql } from "./stage.ts";
import type { GuildHere, Stage } from "./stage.ts";

const perSecond = 10;

/** How many awards the ledger holds. */
export async function awardCount(stage: Stage, here: GuildHere): Promise<number> {
  return Number(await sql(stage, here, "select count(*) from event where type = 'PointsAwarded'"));
}

/** Awards of growing amounts to the raider at a steady rate, ten a second, while `trouble` happens. */
export async function awardsDuring(
  stage: Stage,
  here: GuildHere,
  trouble: () => Promise<unknown>,
  seconds = 15,
): Promise<LoadReport> {
  const firstAmount = (await awardCount(stage, here)) * 1000 + 1;
  const report = stage.discord.load({
    perSecond,
    durationMs: seconds * 1000,
    settleMs: 120_000,
    plan: {
      members: [here.officer],
      // Amounts differ, because the bot asks before it repeats the same award within two minutes.
      commands: [
        {
          name: "dkp award",
          options: { member: here.raider, amount: { from: firstAmount, step: 1, text: true } },
        },
      ],
    },
  });
  await trouble();
  return report;
}

/** Every command was answered once or visibly failed, and the ledger holds exactly what the answers say. */
export async function expectTruth(
  stage: Stage,
  here: GuildHere,
  report: LoadReport,
  awardsBefore: number,
): Promise<void> {
  expect(report.sent % perSecond).toBe(0);
  expect(report.answeredOnce + report.failed).toBe(report.sent);
  expect(report.answeredTwice).toBe(0);
  const answered = report.outcomes.filter(({ outcome }) => outcome === "answeredOnce");
  expect(answered.filter(({ content }) => content?.includes("+") !== true)).toEqual([]);
  const awards = (await awardCount(stage, here)) - awardsBefore;
  expect(awards).toBeGreaterThanOrEqual(answered.length);
  expect(awards).toBeLessThanOrEqual(report.sent);
  const query = "select count(*) - count(distinct interaction_id) from event where type = 'PointsAwarded'";
  expect(await sql(stage, here, query)).toBe("0");
}
