import type { DkpGuild } from "../../../crds/dkp-guild.ts";
import { databaseOf } from "../../../operator/guild/database.ts";
import type { Observation } from "../../../operator/guild/observation.ts";
import type { Progress } from "../../../operator/guild/progress.ts";
import type { KubeObject } from "../../../runtime/kube/object.ts";
import { report } from "../../operator/players.ts";
import { settings } from "../settings.ts";

/** What the builders are told to have seen of a guild of which nothing was looked at. */
export function unobserved(): Observation {
  return {
    nowMs: Date.now(),
    children: new Map(),
    taken: [],
    secrets: [{ use: "discord", secret: "discord", key: "token", state: "present" }],
    // Not on the API server of the bench.
    absentKinds: new Set(["PodMonitor"]),
    refusals: [],
  };
}

/** Everything done, as far as the builders can tell. */
export function allDone(guild: DkpGuild, cluster: KubeObject | undefined): Progress {
  const image = settings.botImage;
  const ready = { instances: 3, readyInstances: 3, phase: "Cluster in healthy state" };
  const run = {
    replicas: 2,
    readyReplicas: 2,
    updatedReplicas: 2,
    availableReplicas: 2,
    observedGeneration: 1,
  };
  const managedRolesStatus = { byStatus: { reconciled: ["dkp_bot"] } };
  const done = { type: "Ready", status: "True" };
  return {
    wanted: image,
    image,
    database: databaseOf(guild, new Map()),
    identity: cluster?.metadata.uid,
    cluster: cluster && { ...cluster, status: { ...ready, managedRolesStatus, conditions: [done] } },
    databaseReady: true,
    developerReady: true,
    deployment: { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "bot" }, status: run },
    rolledOut: image,
    jobName: undefined,
    job: undefined,
    migration: "complete",
    jobFailure: undefined,
    report: report as Progress["report"],
  };
}
