import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { KubeObject, Resource } from "../../runtime/kube/object.ts";
import { archiver, archives, backups, obsoleteSchedules, serverName } from "./backup.ts";
import type { Child } from "./child.ts";
import { cluster } from "./cluster.ts";
import { configuration, report } from "./config-map.ts";
import { poolerName } from "./database.ts";
import { deployment } from "./deployment.ts";
import { isToStop } from "./hibernation.ts";
import { migrationJob } from "./job.ts";
import { birthOf } from "./incarnation.ts";
import { lease } from "./lease.ts";
import { botNetworkPolicy, databaseNetworkPolicy, poolerNetworkPolicy } from "./network-policy.ts";
import type { Observation } from "./observation.ts";
import { podDisruptionBudget } from "./pod-disruption-budget.ts";
import { podMonitorsOf } from "./pod-monitor.ts";
import { pooler } from "./pooler.ts";
import type { Progress } from "./progress.ts";
import { jobs, networkPolicies, poolers, secrets } from "./resources.ts";
import { role, roleBinding } from "./role.ts";
import { accountSecrets, isOutdatedAccount } from "./secret.ts";
import { sharedDatabase } from "./shared-database.ts";
import { service } from "./headless-service.ts";
import { serviceAccount } from "./service-account.ts";
import type { GuildSettings } from "./settings.ts";

/** How long a failed migration rests before it is tried again. */
export const migrationRetryMs = 30_000;

/**
 * The children that ought to exist now. The migration waits for the database, and the Deployment waits for the migration and the token;
 * once it exists it stays, whatever becomes of those. `newPassword` is used only for accounts that are yet to be made.
 */
export function desired(
  guild: DkpGuild,
  settings: GuildSettings,
  observation: Observation,
  facts: Progress,
  newPassword: () => string,
): Child[] {
  const { database } = facts;
  return [
    serviceAccount(guild),
    role(guild),
    roleBinding(guild),
    lease(guild),
    configuration(guild, facts.cluster),
    report(guild),
    ...accountSecrets(guild, database, newPassword),
    service(guild),
    podDisruptionBudget(guild),
    botNetworkPolicy(guild, settings, database),
    ...(observation.absentKinds.has("PodMonitor") ? [] : podMonitorsOf(guild, database)),
    ...backups(guild, observation, facts),
    ...databaseChildren(guild, settings, observation, facts),
    ...migration(guild, settings, facts),
    ...bot(guild, settings, observation, facts),
  ];
}

function databaseChildren(
  guild: DkpGuild,
  settings: GuildSettings,
  observation: Observation,
  facts: Progress,
): Child[] {
  const { database, cluster: live } = facts;
  if (database.mode === "external") return [];
  if (database.mode === "shared")
    return observation.absentKinds.has("DatabaseRole")
      ? []
      : sharedDatabase(guild, database, observation.children);
  const policies = [databaseNetworkPolicy(guild, settings, database)];
  if (observation.absentKinds.has("Cluster")) return policies;
  const pooled =
    guild.spec.database.pooler === undefined || observation.absentKinds.has("Pooler")
      ? []
      : [...pooler(guild, database), poolerNetworkPolicy(guild, settings, database)];
  const plugins = archives(guild, observation, live)
    ? [archiver(guild, serverName(guild, database.cluster, live))]
    : [];
  return [
    ...policies,
    cluster(guild, settings, database, live, { plugins, asleep: isToStop(guild, observation, facts) }),
    ...pooled,
  ];
}

function migration(guild: DkpGuild, settings: GuildSettings, facts: Progress): Child[] {
  const { identity, database } = facts;
  const ready = facts.databaseReady && facts.developerReady;
  if (identity === undefined || (facts.job === undefined && !ready)) return [];
  return [migrationJob(guild, settings, facts.image, database, identity)];
}

/** A bot has no pods while its database is exchanged, and then until the other one is migrated. */
function isHeld({ restoring }: Observation, { cluster, deployment: live, migration }: Progress): boolean {
  if (restoring?.holdsBot === true) return true;
  return birthOf(cluster) !== undefined && live?.spec?.replicas === 0 && migration !== "complete";
}

function bot(guild: DkpGuild, settings: GuildSettings, observation: Observation, facts: Progress): Child[] {
  const migrated = facts.migration === "complete";
  if (facts.deployment !== undefined) {
    const image = migrated ? facts.image : (facts.rolledOut ?? facts.image);
    return [deployment(guild, settings, facts.database, image, isHeld(observation, facts) ? 0 : undefined)];
  }
  const secretsPresent = observation.secrets.every(({ state }) => state === "present");
  return migrated && facts.databaseReady && secretsPresent
    ? [deployment(guild, settings, facts.database, facts.image)]
    : [];
}

/** What stands around a database and is no longer asked for: Poolers, and an account of developers that leads to where the database was. */
function unused(guild: DkpGuild, { children }: Observation, { database }: Progress) {
  if (database.mode === "external") return [];
  const wanted = guild.spec.database.pooler === undefined ? undefined : poolerName(database.cluster);
  const gone = [...children.values()].filter(({ kind, metadata }) =>
    kind === "Pooler" ? metadata.name !== wanted : isOutdatedAccount(guild, database, kind, metadata),
  );
  return gone.flatMap((object) => {
    if (object.kind === "Secret") return [{ resource: secrets, object }];
    const policy = children.get(`NetworkPolicy/${object.metadata.name}`);
    return [
      { resource: poolers, object },
      ...(policy === undefined ? [] : [{ resource: networkPolicies, object: policy }]),
    ];
  });
}

/** What is to be removed: migration Jobs and ScheduledBackups whose time is over, and what spec no longer asks for. */
export function obsolete(
  guild: DkpGuild,
  observation: Observation,
  facts: Progress,
): { resource: Resource; object: KubeObject }[] {
  return [
    ...obsoleteJobs(observation, facts),
    ...obsoleteSchedules(guild, observation, facts.cluster),
    ...unused(guild, observation, facts),
  ].filter(({ object }) => object.metadata.deletionTimestamp === undefined);
}

/** Migration Jobs of other images, and a failed one that is to be tried again. */
function obsoleteJobs(
  observation: Observation,
  facts: Progress,
): { resource: Resource; object: KubeObject }[] {
  const all = [...observation.children.values()].filter(({ kind }) => kind === "Job");
  const failedAtMs = facts.jobFailure?.atMs;
  const retry = failedAtMs !== undefined && observation.nowMs - failedAtMs >= migrationRetryMs;
  return all
    .filter(({ metadata }) =>
      metadata.name === facts.jobName
        ? retry
        : metadata.name !== facts.spareJobName &&
          (facts.migration === "complete" || facts.jobName !== undefined),
    )
    .map((object) => ({ resource: jobs, object }));
}
