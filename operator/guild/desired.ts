import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { KubeObject, Resource } from "../../runtime/kube/object.ts";
import { archiver, archives, backups, obsoleteSchedules, serverName } from "./backup.ts";
import type { Child } from "./child.ts";
import { cluster } from "./cluster.ts";
import { configuration, report } from "./config-map.ts";
import { deployment } from "./deployment.ts";
import { migrationJob } from "./job.ts";
import { lease } from "./lease.ts";
import { botNetworkPolicy, databaseNetworkPolicy } from "./network-policy.ts";
import { childNames } from "./names.ts";
import type { Observation } from "./observation.ts";
import { podDisruptionBudget } from "./pod-disruption-budget.ts";
import type { Progress } from "./progress.ts";
import { jobs } from "./resources.ts";
import { role, roleBinding } from "./role.ts";
import { runtimeSecret } from "./secret.ts";
import { service } from "./headless-service.ts";
import { serviceAccount } from "./service-account.ts";
import type { GuildSettings } from "./settings.ts";

/** How long a failed migration rests before it is tried again. */
export const migrationRetryMs = 30_000;

/**
 * The children that ought to exist now. The migration waits for the database, and the Deployment waits for the migration and the token;
 * once it exists it stays, whatever becomes of those. `password` is used only where the runtime Secret is yet to be made.
 */
export function desired(
  guild: DkpGuild,
  settings: GuildSettings,
  observation: Observation,
  facts: Progress & { password: string },
): Child[] {
  return [
    serviceAccount(guild),
    role(guild),
    roleBinding(guild),
    lease(guild),
    configuration(guild),
    report(guild),
    runtimeSecret(guild, facts.password),
    service(guild),
    podDisruptionBudget(guild),
    botNetworkPolicy(guild, settings),
    databaseNetworkPolicy(guild, settings),
    ...backups(guild, observation, facts),
    ...(observation.cloudNativePg === "absent" ? [] : [database(guild, settings, observation, facts)]),
    ...migration(guild, settings, facts),
    ...bot(guild, settings, observation, facts),
  ];
}

function database(
  guild: DkpGuild,
  settings: GuildSettings,
  observation: Observation,
  facts: Progress,
): Child {
  const { name } = facts.cluster?.metadata ?? { name: childNames(guild.metadata.name).cluster };
  const archiving = archives(guild, observation, facts.cluster);
  return cluster(guild, settings, {
    plugins: archiving ? [archiver(guild, serverName(guild, name, facts.cluster))] : [],
  });
}

function migration(guild: DkpGuild, settings: GuildSettings, facts: Progress): Child[] {
  const uid = facts.cluster?.metadata.uid;
  if (uid === undefined || (facts.job === undefined && !facts.databaseReady)) return [];
  return [migrationJob(guild, settings, facts.image, uid)];
}

function bot(guild: DkpGuild, settings: GuildSettings, observation: Observation, facts: Progress): Child[] {
  const migrated = facts.migration === "complete";
  if (facts.deployment !== undefined) {
    const image = migrated ? facts.image : (facts.rolledOut ?? facts.image);
    return [deployment(guild, settings, image)];
  }
  const secretsPresent = observation.secrets.every(({ state }) => state === "present");
  return migrated && facts.databaseReady && secretsPresent ? [deployment(guild, settings, facts.image)] : [];
}

/** What is to be removed: migration Jobs and ScheduledBackups whose time is over. */
export function obsolete(
  guild: DkpGuild,
  observation: Observation,
  facts: Progress,
): { resource: Resource; object: KubeObject }[] {
  return [...obsoleteJobs(observation, facts), ...obsoleteSchedules(guild, observation, facts.cluster)];
}

/** Migration Jobs of other images once this one is done, and a failed one that is to be tried again. */
function obsoleteJobs(
  observation: Observation,
  facts: Progress,
): { resource: Resource; object: KubeObject }[] {
  const all = [...observation.children.values()].filter(({ kind }) => kind === "Job");
  const retry = facts.failedAtMs !== undefined && observation.nowMs - facts.failedAtMs >= migrationRetryMs;
  return all
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .filter(({ metadata }) =>
      metadata.name === facts.jobName ? retry : facts.migration === "complete" || facts.jobName !== undefined,
    )
    .map((object) => ({ resource: jobs, object }));
}
