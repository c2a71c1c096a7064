import { describe, expect, test } from "vitest";
import type { DkpRestore } from "../../crds/dkp-restore.ts";
import type { Report } from "../../crds/report.ts";
import { afterwards } from "../../operator/guild/restore.ts";
import { liveGuild } from "./guild.ts";
import { report as wellReport } from "./players.ts";

type Facts = {
  discord: Report["discord"]["state"];
  restore?: Report["restore"];
  told?: "AwaitingConfirmation";
};

const awaits = { id: "r", state: "awaitingConfirmation" } as const;
const another = { id: "q", state: "confirmed" } as const;
const confirmed = { id: "r", state: "confirmed" } as const;

function look({ discord, restore, told }: Facts) {
  const { metadata } = liveGuild({ name: "before", uid: "r" });
  const asked: DkpRestore = {
    apiVersion: "dkp.dev/v1alpha1",
    kind: "DkpRestore",
    metadata,
    spec: { guildRef: { name: "watch" } },
    ...(told === undefined ? {} : { status: { observedGeneration: 1, phase: told } }),
  };
  const report = { ...wellReport, discord: { state: discord, message: "" }, restore } as Report;
  const { phase, message } = afterwards(liveGuild(), asked, { report, migration: "complete" });
  return { phase, message };
}

describe("once the restored Cluster is the one that serves, a restore", () => {
  test.each<[string, Facts, string, RegExp]>([
    [
      "cuts over until the bot has found it",
      { discord: "Connected", restore: another },
      "CuttingOver",
      /starting$/,
    ],
    [
      "cuts over until the bot is back at Discord, where officers could not confirm before",
      { discord: "Connecting", restore: awaits },
      "CuttingOver",
      /connecting to Discord$/,
    ],
    [
      "awaits confirmation then",
      { discord: "Connected", restore: awaits },
      "AwaitingConfirmation",
      /says \/dkp-admin confirm-restore$/,
    ],
    [
      "goes on awaiting it while Discord is out of reach for a while",
      { discord: "Unreachable", restore: awaits, told: "AwaitingConfirmation" },
      "AwaitingConfirmation",
      /says \/dkp-admin confirm-restore$/,
    ],
    [
      "is completed by the confirmation, whatever Discord does",
      { discord: "Unreachable", restore: confirmed },
      "Completed",
      /has confirmed/,
    ],
  ])("%s", (_, facts, phase, message) => {
    expect(look(facts)).toEqual({ phase, message: expect.stringMatching(message) });
  });
});
