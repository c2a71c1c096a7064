import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { applyStoreCredentials, storeOfGuilds } from "../sandbox/backups.ts";
import { eventually } from "../sandbox/kubectl.ts";
import { readable } from "../sandbox/tour.ts";
import { apply, award, balance, declareGuild, isReady, openStage } from "./stage.ts";
import { sql, statusOf, untilStatus } from "./stage.ts";
import type { GuildHere, Stage } from "./stage.ts";

type Restore = { status?: { phase?: string; cluster?: string; from?: string } };

let stage: Stage;
let here: GuildHere;

beforeAll(async () => {
  stage = await openStage();
  await applyStoreCredentials(stage.kubectl, "blackrock");
  here = await declareGuild(stage, "blackrock", {
    bot: { replicas: 1 },
    database: { instances: 1, storage: { size: "1Gi" } },
    backup: { objectStore: storeOfGuilds },
  });
  await untilStatus(stage, here, "becomes Ready", isReady);
});

afterAll(() => stage?.close());

async function restore(): Promise<Restore> {
  return stage.kubectl.json<Restore>(["-n", here.namespace, "get", "dkprestore", "before-the-mistake"]);
}

async function untilRestore(phase: string): Promise<Restore> {
  return eventually(
    `the restore is ${phase}`,
    async () => {
      const found = await restore();
      if (found.status?.phase === phase) return found;
      throw new Error(JSON.stringify(found.status));
    },
    300_000,
  );
}

describe("a guild with backups in S3", () => {
  test("has a first base backup, from which on it can be restored", async () => {
    const { backup } = await untilStatus(
      stage,
      here,
      "has a base backup",
      (status) => status.backup?.firstRecoverable !== undefined,
    );
    expect(Date.parse(backup?.lastSuccess ?? "")).toBeGreaterThan(Date.now() - 600_000);
    const listing = "-n s3 exec deployment/s3 -- find /data -name backup.info";
    const files = await stage.kubectl.run(listing.split(" "));
    expect(files).toContain(here.name);
  });

  test("is taken back to the time before a mistake, and waits for an officer there", async () => {
    await award(stage, here, here.raider, 100);
    const targetTime = await sql(
      stage,
      here,
      `select to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`,
    );
    await award(stage, here, here.raider, 900);
    expect(await balance(stage, here, here.raider)).toBe(1000);
    await apply(stage, {
      apiVersion: "dkp.dev/v1alpha1",
      kind: "DkpRestore",
      metadata: { name: "before-the-mistake", namespace: here.namespace },
      spec: { guildRef: { name: here.name }, targetTime },
    });
    const { status } = await untilRestore("AwaitingConfirmation");
    expect(status?.from).toBe(`${here.name}-db`);
    expect(status?.cluster).not.toBe(status?.from);
    // A command that comes before the bot has joined Discord again is nobody's to answer.
    const refused = await eventually("the bot answers", () => award(stage, here, here.raider, 50));
    expect(refused).not.toContain("+50");
  });

  test("goes on with the points of that time once an officer has confirmed", async () => {
    const confirm = await stage.discord.as(here.officer).command("dkp-admin confirm-restore");
    expect(readable(await confirm.reply())).toContain("restored");
    await untilRestore("Completed");
    await untilStatus(stage, here, "is Ready again", isReady);
    expect(await balance(stage, here, here.raider)).toBe(100);
    expect(await award(stage, here, here.raider, 11)).toContain("+11");
    expect(await balance(stage, here, here.raider)).toBe(111);
  });

  test("has a ledger that tells of the restore, in a Cluster beside the one that served before", async () => {
    const { database } = await statusOf(stage, here);
    const { status } = await restore();
    expect(database?.cluster).toBe(status?.cluster);
    const restored = "select count(*) from event where type = 'LedgerRestored'";
    expect(await sql(stage, here, restored, database?.cluster)).toBe("1");
    expect(await sql(stage, here, restored)).toBe("0");
    expect(await sql(stage, here, "select count(*) from event where type = 'PointsAwarded'")).toBe("2");
  });

  test("breaks none of Discord's rules in all of this", async () => {
    expect(await stage.discord.violations()).toEqual([]);
  });
});
