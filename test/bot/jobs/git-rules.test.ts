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
  expect(commandsOf(botConfigSchema.parse({}))).toEqual([
    { type: "setRules", source: "git", settings: {} },
    { type: "setMode", mode: "active" },
  ]);
});
