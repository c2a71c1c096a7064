import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../sandbox/kubectl.ts";
import { awardCount, awardsDuring, expectTruth } from "./commands.ts";
import {
  award,
  balance,
  declareGuild,
  isReady,
  openStage,
  putToken,
  statusOf,
  untilStatus,
} from "./stage.ts";
import type { GuildHere, Stage } from "./stage.ts";

let stage: Stage;
let here: GuildHere;

beforeAll(async () => {
  stage = await openStage();
  const database = { instances: 2, storage: { size: "1Gi" } };
  here = await declareGuild(stage, "ironforge", { bot: { replicas: 2 }, database });
  await untilStatus(stage, here, "becomes Ready", isReady);
});

afterAll(() => stage?.close());

/** How often the containers of the guild's bots were started, by pod. */
async function botStarts(): Promise<string> {
  const bots = ["-l", "app.kubernetes.io/component=bot", "--field-selector=status.phase=Running"];
  const shown =
    "jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[0].restartCount};{end}";
  return stage.kubectl.run(["-n", here.namespace, "get", "pods", ...bots, "-o", shown]);
}

async function primary(): Promise<string> {
  const cluster = ["get", "cluster", `${here.name}-db`, "-o", "jsonpath={.status.currentPrimary}"];
  return (await stage.kubectl.run(["-n", here.namespace, ...cluster])).trim();
}

describe("a guild with two database instances", () => {
  test("goes on through the loss of its primary: a standby takes over and no answer was wrong", async () => {
    const before = await awardCount(stage, here);
    const starts = await botStarts();
    const lost = await primary();
    const report = await awardsDuring(
      stage,
      here,
      () =>
        stage.kubectl.run(["-n", here.namespace, "delete", "pod", lost, "--grace-period=1", "--wait=false"]),
      20,
    );
    await eventually("another instance is the primary", async () =>
      (await primary()) === lost ? undefined : true,
    );
    await expectTruth(stage, here, report, before);
    expect(await botStarts()).toBe(starts);
    await untilStatus(stage, here, "is Ready again", isReady);
  });

  test("takes up a new Discord token from its Secret without a restart, and answers or visibly fails meanwhile", async () => {
    const before = await awardCount(stage, here);
    const starts = await botStarts();
    const { tokenHash } = await statusOf(stage, here);
    const report = await awardsDuring(
      stage,
      here,
      async () => {
        // Discord forgets the old token at once: what comes before the new one has arrived has nobody to receive it.
        const { token } = await stage.discord.resetToken(here.application);
        await putToken(stage, here, token);
      },
      10,
    );
    await untilStatus(
      stage,
      here,
      "is Ready with the new token",
      (status) => isReady(status) && status.tokenHash !== undefined && status.tokenHash !== tokenHash,
    );
    await expectTruth(stage, here, report, before);
    expect(await botStarts()).toBe(starts);
    const points = await balance(stage, here, here.raider);
    expect(await award(stage, here, here.raider, 777_777)).toContain("+777");
    expect(await balance(stage, here, here.raider)).toBe(points + 777_777);
  });

  test("breaks none of Discord's rules in all of this", async () => {
    expect(await stage.discord.violations()).toEqual([]);
  });
});
