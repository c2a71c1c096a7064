import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { type Report, reportKey, reportSchema } from "../../crds/report.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { type Database, databaseOf } from "./database.ts";
import { imageAnnotation } from "./deployment.ts";
import { developerEnvironment, developerRole, hasDeveloper } from "./developer.ts";
import { jobFailure, migrationJobName } from "./job.ts";
import { childNames } from "./names.ts";
import type { Observation } from "./observation.ts";
import { wantedImage } from "./pod.ts";
import { targetImage } from "./rollout.ts";
import { sharedNames } from "./shared-database.ts";
import type { GuildSettings } from "./settings.ts";

type LiveCondition = {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
  lastUpdateTime?: string;
};

export type ClusterObject = KubeObject & {
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
  wanted: string;
  /** The image to run now: the wanted one, unless that waits for its turn or failed. */
  image: string;
  database: Database;
  /** What tells this database from another of its guild; undefined while there is none. */
  identity: string | undefined;
  /** The guild's own Cluster that serves, with mode dedicated. */
  cluster: ClusterObject | undefined;
  databaseReady: boolean;
  /** The role of developers is made, if there is to be one: migrating grants to it. */
  developerReady: boolean;
  deployment: DeploymentObject | undefined;
  /** The image that was rolled out last; it stays until the database is migrated for the wanted one. */
  rolledOut: string | undefined;
  /** The Job for the wanted image on this database; undefined while there is no database to migrate. */
  jobName: string | undefined;
  /** The Job of another image that may be needed yet: of the last healthy one to return to, or of the one that failed, for its log. */
  spareJobName?: string | undefined;
  job: JobObject | undefined;
  /** How far that Job has come, which migrates and then registers the commands. */
  migration: "none" | "running" | "complete" | "failed";
  /** What of it failed, and when, in milliseconds since the epoch. */
  jobFailure: { step: "migrate" | "setup"; message: string; atMs: number } | undefined;
  report: Report | undefined;
};

/** A condition of a live object that is True. */
export function holds(live: { status?: { conditions?: LiveCondition[] } } | undefined, type: string) {
  return live?.status?.conditions?.find(
    (condition) => condition.type === type && condition.status === "True",
  );
}

type AppliedObject = KubeObject & {
  status?: { applied?: boolean; message?: string; observedGeneration?: number };
};

/** Objects of a shared database that CloudNativePG has not made so yet, as they are now. */
export function notApplied(
  guild: DkpGuild,
  { children }: Pick<Observation, "children">,
): (AppliedObject | undefined)[] {
  const names = sharedNames(guild);
  const keys = [`DatabaseRole/${names.owner}`, `DatabaseRole/${names.runtime}`, `Database/${names.database}`];
  return keys
    .map((key): AppliedObject | undefined => children.get(key))
    .filter((object) => object?.status?.applied !== true);
}

/**
 * Ready as CloudNativePG says it, and the bot's role made: migrating grants to that role, so it must exist before. An external database is
 * taken for ready once its connection string is there; the bot and its migration find out.
 */
function isDatabaseReady(
  guild: DkpGuild,
  observation: Observation,
  database: Database,
  cluster: ClusterObject | undefined,
): boolean {
  if (database.mode === "shared") return notApplied(guild, observation).length === 0;
  if (database.mode === "external")
    return observation.secrets.every(({ use, state }) => use !== "database" || state === "present");
  return isReadyCluster(cluster, database.runtimeRole);
}

/** Whether a Cluster of a guild's own works, as CloudNativePG says it, and has the bot's role. */
export function isReadyCluster(cluster: ClusterObject | undefined, runtimeRole: string): boolean {
  return holds(cluster, "Ready") !== undefined && isReconciled(cluster, runtimeRole);
}

function isDeveloperReady(
  guild: DkpGuild,
  { children }: Observation,
  database: Database,
  cluster: ClusterObject | undefined,
): boolean {
  if (database.mode === "external" || !hasDeveloper(guild)) return true;
  if (database.mode === "dedicated") return isReconciled(cluster, developerRole(guild, database));
  const role: AppliedObject | undefined = children.get(`DatabaseRole/${sharedNames(guild).developer}`);
  return role?.status?.applied === true;
}

function isReconciled(cluster: ClusterObject | undefined, role: string): boolean {
  return cluster?.status?.managedRolesStatus?.byStatus?.["reconciled"]?.includes(role) === true;
}

function identityOf(
  guild: DkpGuild,
  { children }: Observation,
  database: Database,
  cluster: ClusterObject | undefined,
): string | undefined {
  if (database.mode === "dedicated") return cluster?.metadata.uid;
  if (database.mode === "external") return `${database.secret}/${database.key}`;
  return children.get(`Database/${sharedNames(guild).database}`)?.metadata.uid;
}

/** Reports by the version of the ConfigMap that they were read from: a guild is asked several times a look, and rarely has a new one. */
const reports = new WeakMap<KubeObject, Report | undefined>();

/** What the bot's leader reported, in its ConfigMap; undefined where there is none yet or none that can be read. */
export function reportOf(live: KubeObject | undefined): Report | undefined {
  if (live === undefined) return undefined;
  if (!reports.has(live)) reports.set(live, readReport(live));
  return reports.get(live);
}

function readReport(live: KubeObject): Report | undefined {
  const text = (live["data"] as Record<string, string> | undefined)?.[reportKey];
  if (text === undefined) return undefined;
  try {
    return reportSchema.safeParse(JSON.parse(text)).data;
  } catch {
    // Half written or edited by hand: as good as none, and the bot writes it again.
    return undefined;
  }
}

/** The image whose migration Job is kept beside the present one. */
function spareImage(guild: DkpGuild, wanted: string, rollout: Observation["rollout"]): string | undefined {
  if (rollout?.state === "Progressing") return guild.status?.lastHealthyImage;
  return rollout?.state === "Failed" ? wanted : undefined;
}

export function progress(guild: DkpGuild, settings: GuildSettings, observation: Observation): Progress {
  const names = childNames(guild.metadata.name);
  const { children } = observation;
  const database = databaseOf(guild, children);
  const cluster: ClusterObject | undefined =
    database.mode === "dedicated" ? children.get(`Cluster/${database.cluster}`) : undefined;
  const deployment: DeploymentObject | undefined = children.get(`Deployment/${names.bot}`);
  const wanted = wantedImage(guild, settings);
  const image = targetImage(wanted, guild.status?.lastHealthyImage, observation.rollout);
  const identity = identityOf(guild, observation, database, cluster);
  const developer = database.mode === "external" ? {} : developerEnvironment(guild, database);
  const jobFor = (each: string | undefined) =>
    identity === undefined || each === undefined
      ? undefined
      : migrationJobName(guild, each, identity, developer);
  const jobName = jobFor(image);
  const job: JobObject | undefined = children.get(`Job/${jobName}`);
  const failure = holds(job, "Failed");
  return {
    wanted,
    image,
    database,
    identity,
    cluster,
    databaseReady: isDatabaseReady(guild, observation, database, cluster),
    developerReady: isDeveloperReady(guild, observation, database, cluster),
    deployment,
    rolledOut: deployment?.metadata.annotations?.[imageAnnotation],
    jobName,
    spareJobName: jobFor(spareImage(guild, wanted, observation.rollout)),
    job,
    migration:
      job === undefined
        ? "none"
        : holds(job, "Complete")
          ? "complete"
          : failure === undefined
            ? "running"
            : "failed",
    jobFailure: failure && {
      ...jobFailure(jobName ?? "", image, failure.reason),
      atMs: Date.parse(failure.lastTransitionTime ?? "") || 0,
    },
    report: reportOf(children.get(`ConfigMap/${names.report}`)),
  };
}

/** Whether the Deployment says that it has no pods and wants none. Pods are looked at besides. */
export function isAtRest({ deployment }: Pick<Progress, "deployment">): boolean {
  if (deployment === undefined) return true;
  const { observedGeneration = 0, replicas = 0 } = deployment.status ?? {};
  const seen = observedGeneration >= (deployment.metadata.generation ?? 0);
  return deployment.spec?.replicas === 0 && seen && replicas === 0;
}
