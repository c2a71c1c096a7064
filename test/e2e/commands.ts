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
  const { sent, answeredOnce, failed, answeredTwice, unsettled } = report;
  const odd = report.outcomes.filter(({ outcome }) => ["unsettled", "answeredTwice"].includes(outcome));
  expect(
    { sent, answeredOnce, failed, answeredTwice, unsettled },
    odd.length === 0 ? undefined : await traces(stage, here, odd),
  ).toEqual({ sent, answeredOnce: sent - failed, failed, answeredTwice: 0, unsettled: 0 });
  const answered = report.outcomes.filter(({ outcome }) => outcome === "answeredOnce");
  expect(answered.filter(({ content }) => content?.includes("+") !== true)).toEqual([]);
  const awards = (await awardCount(stage, here)) - awardsBefore;
  expect(awards).toBeGreaterThanOrEqual(answered.length);
  expect(awards).toBeLessThanOrEqual(report.sent);
  const query = "select count(*) - count(distinct interaction_id) from event where type = 'PointsAwarded'";
  expect(await sql(stage, here, query)).toBe("0");
}

/** What the members, the database and the bots' logs say of these commands. */
async function traces(stage: Stage, here: GuildHere, odd: LoadReport["outcomes"]): Promise<string> {
  const bots = ["-l", "app.kubernetes.io/component=bot", "--prefix", "--tail=-1"];
  const logs = await stage.kubectl.run(["-n", here.namespace, "logs", ...bots]);
  const listed = odd.map(({ id }) => `'${id}'`).join(", ");
  return [
    ...odd.map((outcome) => JSON.stringify(outcome)),
    "Claims: interaction, epoch, owner, claimed, finished",
    await sql(
      stage,
      here,
      `select interaction_id, epoch, owner, claimed_at, finished_at from inbox where interaction_id in (${listed})`,
    ),
    "Calls: interaction, attempts, leased by, until, finished, abandoned because",
    await sql(
      stage,
      here,
      `select interaction_id, attempts, lease_owner, lease_until, finished_at, abandoned from outbox
       where interaction_id in (${listed})`,
    ),
    ...logs.split("\n").filter((line) => odd.some(({ id }) => line.includes(id))),
  ].join("\n");
}
