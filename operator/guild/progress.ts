import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { type Report, reportKey, reportSchema } from "../../crds/report.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { imageAnnotation } from "./deployment.ts";
import { migrationJobName } from "./job.ts";
import { childNames } from "./names.ts";
import type { Observation } from "./observation.ts";
import { wantedImage } from "./pod.ts";
import { runtimeRole } from "./secret.ts";
import type { GuildSettings } from "./settings.ts";

type LiveCondition = {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
  lastUpdateTime?: string;
};

type ClusterObject = KubeObject & {
  spec?: { instances?: number; imageName?: string };
  status?: {
    phase?: string;
    image?: string;
    phaseReason?: string;
    instances?: number;
    readyInstances?: number;
    currentPrimary?: string;
    conditions?: LiveCondition[];
    managedRolesStatus?: { byStatus?: Record<string, string[]>; cannotReconcile?: Record<string, string[]> };
  };
};

export type DeploymentObject = KubeObject & {
  spec?: { replicas?: number };
  status?: {
    observedGeneration?: number;
    replicas?: number;
    readyReplicas?: number;
    updatedReplicas?: number;
    availableReplicas?: number;
    conditions?: LiveCondition[];
  };
};

type JobObject = KubeObject & { status?: { conditions?: LiveCondition[] } };

/** How far a guild has come, read from its live children. */
export type Progress = {
  /** The image that spec asks for. */
  image: string;
  cluster: ClusterObject | undefined;
  databaseReady: boolean;
  deployment: DeploymentObject | undefined;
  /** The image that was rolled out last; it stays until the database is migrated for the wanted one. */
  rolledOut: string | undefined;
  /** The Job for the wanted image on this database; undefined while there is no database to migrate. */
  jobName: string | undefined;
  job: JobObject | undefined;
  migration: "none" | "running" | "complete" | "failed";
  /** When the migration failed, in milliseconds since the epoch. */
  failedAtMs: number | undefined;
  report: Report | undefined;
};

/** A condition of a live object that is True. */
export function holds(live: { status?: { conditions?: LiveCondition[] } } | undefined, type: string) {
  return live?.status?.conditions?.find(
    (condition) => condition.type === type && condition.status === "True",
  );
}

/**
 * Ready as CloudNativePG says it, and the bot's role made: migrating grants to that role, so it must exist before.
 */
function isDatabaseReady(cluster: ClusterObject | undefined): boolean {
  const reconciled = cluster?.status?.managedRolesStatus?.byStatus?.["reconciled"] ?? [];
  return holds(cluster, "Ready") !== undefined && reconciled.includes(runtimeRole);
}

function readReport(live: KubeObject | undefined): Report | undefined {
  const text = (live?.["data"] as Record<string, string> | undefined)?.[reportKey];
  if (text === undefined) return undefined;
  try {
    return reportSchema.safeParse(JSON.parse(text)).data;
  } catch {
    // Half written or edited by hand: as good as none, and the bot writes it again.
    return undefined;
  }
}

export function progress(guild: DkpGuild, settings: GuildSettings, observation: Observation): Progress {
  const names = childNames(guild.metadata.name);
  const { children } = observation;
  const cluster: ClusterObject | undefined = children.get(`Cluster/${names.cluster}`);
  const deployment: DeploymentObject | undefined = children.get(`Deployment/${names.bot}`);
  const image = wantedImage(guild, settings);
  const clusterUid = cluster?.metadata.uid;
  const jobName = clusterUid === undefined ? undefined : migrationJobName(guild, image, clusterUid);
  const job: JobObject | undefined = children.get(`Job/${jobName}`);
  const failure = holds(job, "Failed");
  return {
    image,
    cluster,
    databaseReady: isDatabaseReady(cluster),
    deployment,
    rolledOut: deployment?.metadata.annotations?.[imageAnnotation],
    jobName,
    job,
    migration:
      job === undefined
        ? "none"
        : holds(job, "Complete")
          ? "complete"
          : failure === undefined
            ? "running"
            : "failed",
    failedAtMs: failure === undefined ? undefined : Date.parse(failure.lastTransitionTime ?? "") || 0,
    report: readReport(children.get(`ConfigMap/${names.report}`)),
  };
}
