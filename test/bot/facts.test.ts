import { expect, test } from "vitest";
import { reportSchema } from "../../crds/report.ts";
import { botFacts } from "../../bot/facts.ts";
import { logger } from "../../runtime/log.ts";

test("a change of mode that could not be announced is a word in the report until one was", () => {
  const facts = botFacts(logger({ level: "silent", format: "json", name: "test" }));
  facts.setDiscord({ state: "Connected", message: "Connected to Discord." });
  const told = () => reportSchema.parse(facts.report("bot-0", "test")).discord;
  facts.setAnnouncement("Missing Permissions (code 50013)");
  expect(told()).toEqual({
    state: "Connected",
    message:
      "Connected to Discord. The change of mode could not be announced: Missing Permissions (code 50013).",
  });
  facts.setAnnouncement(undefined);
  expect(told().message).toBe("Connected to Discord.");
});
