import { describe, expect, test } from "vitest";
import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { Phase } from "../../crds/phases.ts";
import type { DkpGuildStatus } from "../../crds/status.ts";
import type { Observation } from "../../operator/guild/observation.ts";
import { progress } from "../../operator/guild/progress.ts";
import { status } from "../../operator/guild/status.ts";
import { transitions } from "../../operator/guild/transitions.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { liveGuild } from "./guild.ts";
import { report } from "./players.ts";

/** What is there, as a table tells it; what it leaves out is as in a guild that is well. */
type Scenery = {
  generation?: number;
  before?: DkpGuildStatus | undefined;
  replicas?: number;
  image?: string;
  rolledOut?: string;
  job?: "none" | "running" | "failed" | "failedSetup";
  pods?: object;
  cluster?: object;
  report?: object;
};

const settings = {
  botImage: "bot:1",
  botImageCanary: "bot:1",
  postgresImage: "postgresql:16.6",
  monitoringNamespace: "observability",
  discordApiUrl: undefined,
};
const metadata = { name: "watch", namespace: "space", uid: "u", resourceVersion: "9" };

function guildOf({ generation = 1, before, replicas = 2 }: Scenery): DkpGuild {
  const guild = liveGuild({ ...metadata, generation }, { bot: { replicas } });
  return before === undefined ? guild : { ...guild, status: before };
}

function jobStatus(job: Scenery["job"]): object {
  if (job === "running") return {};
  const reason = job === "failedSetup" ? "PodFailurePolicy" : "BackoffLimitExceeded";
  const type = job === "failed" || job === "failedSetup" ? "Failed" : "Complete";
  return { conditions: [{ type, status: "True", reason }] };
}

/** The status of a guild in such a scenery. */
function look(scenery: Scenery): DkpGuildStatus {
  const { replicas = 2, image = "bot:1" } = scenery;
  const guild = guildOf(scenery);
  const live = (kind: string, name: string, fields: object): KubeObject => ({
    apiVersion: "v1",
    kind,
    metadata: { ...metadata, name },
    ...fields,
  });
  const cluster = {
    phase: "Cluster in healthy state",
    instances: 3,
    readyInstances: 3,
    conditions: [{ type: "Ready", status: "True" }],
    managedRolesStatus: { byStatus: { reconciled: ["dkp_bot"] } },
    ...scenery.cluster,
  };
  const pods = {
    observedGeneration: 1,
    replicas,
    updatedReplicas: replicas,
    readyReplicas: replicas,
    availableReplicas: replicas,
    ...scenery.pods,
  };
  const said = JSON.stringify({ ...report, ...scenery.report });
  const objects = [
    live("Cluster", "watch-db", { spec: { instances: 3, imageName: "postgresql:16.6" }, status: cluster }),
    live("ConfigMap", "watch-report", { data: { "report.json": said } }),
    live("Deployment", "watch-bot", {
      metadata: {
        ...metadata,
        name: "watch-bot",
        generation: 1,
        annotations: { "dkp.dev/image": scenery.rolledOut ?? image },
      },
      status: pods,
    }),
  ];
  const children = new Map(objects.map((object) => [`${object.kind}/${object.metadata.name}`, object]));
  const observation: Observation = {
    nowMs: Date.parse("2030-01-02T00:00:00Z"),
    children,
    taken: [],
    secrets: [],
    absentKinds: new Set(),
    refusals: [],
    ...([undefined, image].includes(guild.status?.lastHealthyImage)
      ? {}
      : { rollout: { image, state: "Progressing" } }),
  };
  const chosen = { ...settings, botImage: image };
  const { jobName = "" } = progress(guild, chosen, observation);
  if (scenery.job !== "none")
    children.set(`Job/${jobName}`, live("Job", jobName, { status: jobStatus(scenery.job) }));
  return status(guild, observation, progress(guild, chosen, observation));
}

const well = look({});
const updating: DkpGuildStatus = { ...well, phase: "Updating" };
const of = (found: DkpGuildStatus, type: string) => found.conditions?.find((entry) => entry.type === type);
const databaseDown = { phase: "Failing over", conditions: [{ type: "Ready", status: "False" }] };

describe("the phase of a guild that has come up", () => {
  test.each<[string, Scenery, Phase]>([
    ["all is well", {}, "Ready"],
    ["a new image is being migrated for", { image: "bot:2", rolledOut: "bot:1", job: "none" }, "Updating"],
    ["its migration runs", { image: "bot:2", rolledOut: "bot:1", job: "running" }, "Updating"],
    ["its migration failed", { image: "bot:2", rolledOut: "bot:1", job: "failed" }, "Stalled"],
    ["its setup failed", { image: "bot:2", rolledOut: "bot:1", job: "failedSetup" }, "Stalled"],
    ["a rollout was not seen yet", { pods: { observedGeneration: 0 } }, "Updating"],
    ["a rollout begins", { pods: { replicas: 3, updatedReplicas: 1 } }, "Updating"],
    ["the last old pod is still there", { pods: { replicas: 3 } }, "Updating"],
    ["a rollout does not get on", { pods: { updatedReplicas: 1, conditions: [tooLate()] } }, "Stalled"],
    ["a rollout left no pod that serves", { pods: { updatedReplicas: 1, readyReplicas: 0 } }, "Degraded"],
    ["a pod died", { pods: { readyReplicas: 1, availableReplicas: 1 } }, "Degraded"],
    ["a pod was deleted", { pods: { replicas: 1, updatedReplicas: 1, availableReplicas: 1 } }, "Degraded"],
    ["a pod more is wanted by spec", { generation: 2, replicas: 3, pods: fewer() }, "Updating"],
    ["and is still starting", { before: updating, replicas: 3, pods: fewer() }, "Updating"],
    ["the database fails over", { cluster: databaseDown }, "Degraded"],
    ["the database fails over in a rollout", { before: updating, cluster: databaseDown }, "Degraded"],
    ["the database is upgraded", { cluster: { ...databaseDown, phase: "Upgrading cluster" } }, "Updating"],
    ["the database has yet to see its spec", { generation: 2, cluster: { readyInstances: 1 } }, "Updating"],
    ["the database runs another image", { cluster: { image: "postgresql:16.5" } }, "Updating"],
    [
      "the database needs a person",
      { cluster: { ...databaseDown, phase: "Waiting for user action" } },
      "Stalled",
    ],
    ["Discord cannot be reached", { report: { discord: { state: "Unreachable" } } }, "Degraded"],
    ["Discord refuses the token", { report: { discord: { state: "TokenInvalid" } } }, "Stalled"],
    ["a new leader connects", { report: { discord: { state: "Connecting" } } }, "Ready"],
    ["a new leader looks at the commands", { report: { commands: { state: "Pending" } } }, "Ready"],
    ["Discord refuses the commands", { report: { commands: { state: "Failed" } } }, "Degraded"],
  ])("%s", (_, scenery, expected) => {
    const found = look({ before: well, ...scenery });
    expect(found.phase, JSON.stringify(found.conditions)).toBe(expected);
    expect(of(found, "Ready")?.status).toBe(expected === "Ready" ? "True" : "False");
    expect(of(found, "Stalled")?.status).toBe(expected === "Stalled" ? "True" : "False");
    expect(of(found, "Reconciling")?.status).toBe(
      expected === "Updating" || expected === "Degraded" ? "True" : "False",
    );
  });
});

function tooLate(): object {
  return { type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded", message: "late" };
}

function fewer(): object {
  return { replicas: 3, updatedReplicas: 3, readyReplicas: 2, availableReplicas: 2 };
}

describe("the phase of a guild on its first way up", () => {
  test.each<[string, Scenery, Phase]>([
    ["its pods start", { pods: { readyReplicas: 0, availableReplicas: 0 } }, "Deploying"],
    ["its commands are not registered yet", { report: { commands: { state: "Pending" } } }, "Deploying"],
    [
      "its database is upgraded",
      { cluster: { ...databaseDown, phase: "Upgrading cluster" } },
      "DatabaseProvisioning",
    ],
  ])("%s", (_, scenery, expected) => {
    const before: DkpGuildStatus = { observedGeneration: 1, phase: "Deploying" };
    expect(look({ before, ...scenery }).phase).toBe(expected);
  });
});

describe("commands that were registered", () => {
  const pending = { commands: { state: "Pending", message: "" } };
  test("stay so while a new leader has yet to look, in the same words, so that no status is written for it", () => {
    expect(of(look({ before: well, report: pending }), "CommandsRegistered")).toEqual(
      of(well, "CommandsRegistered"),
    );
  });

  test("are not taken for registered where they never were", () => {
    const before = look({ replicas: 0 });
    expect(of(before, "CommandsRegistered")).toMatchObject({ status: "True", reason: "ScaledToZero" });
    expect(of(look({ before, report: pending }), "CommandsRegistered")).toMatchObject({
      status: "False",
      reason: "CommandsPending",
    });
  });
});

describe("Events", () => {
  test("of an ordinary upgrade warn of nothing", () => {
    const steps: Scenery[] = [
      { image: "bot:2", rolledOut: "bot:1", job: "none" },
      { image: "bot:2", rolledOut: "bot:1", job: "running" },
      { image: "bot:2", pods: { observedGeneration: 0 } },
      {
        image: "bot:2",
        pods: { replicas: 3, updatedReplicas: 1 },
        report: { commands: { state: "Pending" } },
      },
      { image: "bot:2", pods: { replicas: 3 } },
      { image: "bot:2" },
    ];
    let before = well;
    const told = steps.flatMap((step) => {
      const after = look({ ...step, before });
      const events = transitions(before, after);
      before = after;
      return events;
    });
    expect(told.map(({ type, reason }) => `${type} ${reason}`)).toEqual(["Normal Updating", "Normal Ready"]);
  });

  test("of a pod that died warn once", () => {
    const after = look({ before: well, pods: { readyReplicas: 1, availableReplicas: 1 } });
    expect(transitions(well, after).map(({ type, reason }) => `${type} ${reason}`)).toEqual([
      "Warning PodsNotReady",
    ]);
  });
});
