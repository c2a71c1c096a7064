import { expect, test } from "vitest";
import type { Condition, DkpGuildStatus } from "../../crds/status.ts";
import { mayWait, sameJson } from "../../operator/guild/haste.ts";

const condition = (type: string, reason: string, status: Condition["status"] = "False"): Condition => ({
  type,
  status,
  reason,
  message: "",
  lastTransitionTime: "2030-01-01T00:00:00Z",
});

const climbing = (
  phase: DkpGuildStatus["phase"],
  reason: string,
  more: Partial<DkpGuildStatus> = {},
): DkpGuildStatus => ({
  observedGeneration: 1,
  phase,
  conditions: [condition("Ready", reason), condition("BotReady", "WaitingForDatabase")],
  ...more,
});

const unseen: DkpGuildStatus = { observedGeneration: -1 };
const provisioning = climbing("DatabaseProvisioning", "DatabaseNotReady");
const ready: DkpGuildStatus = {
  observedGeneration: 1,
  phase: "Ready",
  conditions: [condition("Ready", "Ready", "True"), condition("BotReady", "BotReady", "True")],
};

test.each<[string, DkpGuildStatus | undefined, DkpGuildStatus]>([
  ["the first step of a guild", unseen, provisioning],
  ["the first step of a guild whose status was lost", undefined, provisioning],
  ["the next step", provisioning, climbing("Migrating", "Migrating")],
  ["one more pod of a rollout", climbing("Updating", "Deploying"), climbing("Updating", "PodsNotReady")],
  ["a longer tale of the database", provisioning, { ...provisioning, database: { cluster: "watch-db" } }],
])("%s may wait", (_, before, after) => {
  expect(mayWait(before, after)).toBe(true);
});

test.each<[string, DkpGuildStatus | undefined, DkpGuildStatus]>([
  ["being Ready", provisioning, ready],
  ["no longer being Ready", ready, climbing("Updating", "Deploying")],
  ["what a person has to act on", provisioning, climbing("Stalled", "MigrationFailed")],
  ["a Secret that is missing", unseen, climbing("Pending", "SecretMissing")],
  [
    "a Secret that is missing behind the database",
    unseen,
    { ...provisioning, conditions: [condition("Ready", "Creating"), condition("BotReady", "SecretMissing")] },
  ],
  [
    "what held and holds no more",
    { ...provisioning, conditions: [condition("DatabaseReady", "DatabaseReady", "True")] },
    { ...provisioning, conditions: [condition("DatabaseReady", "DatabaseNotReady")] },
  ],
  ["an answer to a change of spec", provisioning, { ...provisioning, observedGeneration: 2 }],
  ["being suspended", provisioning, { ...provisioning, phase: "Suspended" }],
  ["being deleted", provisioning, { ...provisioning, phase: "Deleting" }],
  ["what is remembered by", provisioning, { ...provisioning, lastHealthyImage: "bot:1" }],
])("%s may not wait", (_, before, after) => {
  expect(mayWait(before, after)).toBe(false);
});

test.each<[unknown, unknown, boolean]>([
  [{ a: 1, b: [{ c: "x" }] }, { b: [{ c: "x" }], a: 1 }, true],
  [{ a: 1, b: undefined }, { a: 1 }, true],
  [{ a: 1 }, { a: 1, b: 2 }, false],
  [{ a: 1, b: 2 }, { a: 1 }, false],
  [[1, 2], [1], false],
  [{}, [], false],
  [null, {}, false],
  [undefined, undefined, true],
  [undefined, {}, false],
])("%j and %j are the same JSON: %s", (one, other, same) => {
  expect(sameJson(one, other)).toBe(same);
  expect(sameJson(other, one)).toBe(same);
});
