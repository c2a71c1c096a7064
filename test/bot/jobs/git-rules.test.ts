import { expect, test } from "vitest";
import { botConfigSchema } from "../../../crds/bot-config.ts";
import { commandsOf, gitSettings } from "../../../bot/jobs/git-rules.ts";

test("the rules of a config file become settings by the ledger's keys, and only those that are set", () => {
  const config = botConfigSchema.parse({
    rules: {
      pools: [{ name: "dkp", decimals: 2, startPoints: "12.50" }],
      auctions: { minimumBid: 10, antiSnipe: { windowSeconds: 30 } },
      roles: { officers: ["123456789012345678"] },
    },
  });
  expect(gitSettings(config.rules)).toEqual({
    pools: [{ name: "dkp", decimals: 2, startPoints: "12.50" }],
    "auctions.minimumBid": 10,
    "auctions.antiSnipe.windowSeconds": 30,
    "roles.officers": ["123456789012345678"],
  });
});

test("an empty config file gives everything back to Discord and opens the ledger", () => {
  expect(commandsOf(botConfigSchema.parse({}), "night-watch-db-rw")).toEqual([
    { type: "setRules", source: "git", settings: {} },
    { type: "setMode", mode: "active" },
  ]);
});

const restored = botConfigSchema.parse({
  restore: { id: "uid-1", from: "night-watch-db", target: "2026-11-20T20:00:00Z" },
});

test.each([
  ["night-watch-db-r1-rw", true],
  ["night-watch-db-r1-rw.guilds.svc", true],
  ["10.1.2.3", true],
  ["night-watch-db-rw", false],
  ["night-watch-db-rw.guilds.svc.cluster.local", false],
  ["night-watch-db-pooler.guilds.svc", false],
])(
  "a restore is noted by a bot connected to %s: %s, for the abandoned ledger is left alone",
  (host, noted) => {
    const note = {
      type: "recordRestore",
      restore: "uid-1",
      from: "night-watch-db",
      target: "2026-11-20T20:00:00Z",
    };
    expect(commandsOf(restored, host)[0]).toEqual(
      noted ? note : { type: "setRules", source: "git", settings: {} },
    );
  },
);
