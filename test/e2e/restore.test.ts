import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { applyStoreCredentials, storeOfGuilds } from "../sandbox/backups.ts";
import { declareGuild, isReady, openStage, untilStatus } from "./stage.ts";
import type { GuildHere, Stage } from "./stage.ts";

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

  test("breaks none of Discord's rules in all of this", async () => {
    expect(await stage.discord.violations()).toEqual([]);
  });
});
