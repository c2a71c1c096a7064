import { expect, test } from "vitest";
import { type DkpGuild, specSchema } from "../../crds/dkp-guild.ts";
import type { Observation } from "../../operator/guild/observation.ts";
import { progress } from "../../operator/guild/progress.ts";
import { looksAtPods } from "../../operator/observe.ts";

const metadata = { name: "watch", namespace: "space", uid: "u", resourceVersion: "9" };
const settings = {
  botImage: "bot:1",
  botImageCanary: "bot:1",
  postgresImage: "postgresql:16.6",
  monitoringNamespace: "observability",
};
const guild: DkpGuild = {
  apiVersion: "dkp.dev/v1alpha1",
  kind: "DkpGuild",
  metadata: { ...metadata, generation: 1, creationTimestamp: "2030-01-01T00:00:00Z" },
  spec: specSchema.parse({
    guildId: "123456789012345678",
    discord: { tokenSecretRef: { name: "token" } },
    bot: { replicas: 1 },
  }),
};

function look(status: object, secondsLater: number): string {
  const updated = "2030-01-01T01:00:00Z";
  const conditions = [{ type: "Progressing", status: "True", lastUpdateTime: updated }];
  const deployment = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { ...metadata, name: "watch-bot", generation: 1 },
    status: { observedGeneration: 1, ...status, conditions },
  };
  const observation: Observation = {
    nowMs: Date.parse(updated) + secondsLater * 1000,
    children: new Map([["Deployment/watch-bot", deployment]]),
    taken: [],
    secrets: [],
    absentKinds: new Set(),
    refusals: [],
  };
  return looksAtPods(guild, observation, progress(guild, settings, observation));
}

test.each([
  [
    "not at pods that all are new and there",
    { replicas: 1, updatedReplicas: 1, availableReplicas: 1 },
    60,
    "no",
  ],
  ["not yet at pods that just started", { replicas: 1, updatedReplicas: 1 }, 5, "soon"],
  ["at pods that do not become available", { replicas: 1, updatedReplicas: 1 }, 60, "now"],
  [
    "at a new pod that fails while the old one still serves",
    { replicas: 2, updatedReplicas: 1, availableReplicas: 1 },
    60,
    "now",
  ],
])("the operator looks %s", (_, status, secondsLater, answer) => {
  expect(look(status, secondsLater)).toBe(answer);
});
