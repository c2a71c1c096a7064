import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { type Child, child } from "./child.ts";
import { type ManagedDatabase, incarnationOf } from "./database.ts";
import { instanceResources, postgresParameters } from "./database-size.ts";
import { developerRole, hasDeveloper } from "./developer.ts";
import { birthOf } from "./incarnation.ts";
import { childNames } from "./names.ts";
import { hibernationAnnotation } from "./hibernation.ts";
import { placement } from "./placement.ts";
import { clusters } from "./resources.ts";
import type { GuildSettings } from "./settings.ts";

/** How a Cluster began: made empty, or out of a backup. It cannot be changed afterwards, so what lives is repeated. */
type Origin = { bootstrap: unknown; externalClusters?: unknown };

/**
 * The guild's PostgreSQL, run by CloudNativePG. Labelled, not owned: CloudNativePG deletes the volumes together with the Cluster, so
 * the garbage collector must never be the one to delete it.
 */
export function cluster(
  guild: DkpGuild,
  settings: GuildSettings,
  database: ManagedDatabase,
  live: KubeObject | undefined,
  { plugins, asleep }: { plugins: object[]; asleep: boolean },
): Child {
  const restored = live === undefined ? 0 : incarnationOf(live);
  const facts = {
    name: database.cluster,
    owned: false,
    ...birthOf(live),
  };
  const sleep = asleep ? { [hibernationAnnotation]: "on" } : {};
  const marks = { ...facts, annotations: { ...("annotations" in facts ? facts.annotations : {}), ...sleep } };
  return child(guild, clusters, marks, {
    spec: {
      ...clusterSpec(guild, settings, database, restored === 0 ? empty(database) : originOf(live)),
      ...(plugins.length === 0 ? {} : { plugins }),
    },
  });
}

function empty({ name, ownerRole }: ManagedDatabase): Origin {
  return { bootstrap: { initdb: { database: name, owner: ownerRole } } };
}

function originOf(live: KubeObject | undefined): Origin {
  const { bootstrap, externalClusters } = (live?.["spec"] ?? {}) as Origin;
  return { bootstrap, externalClusters };
}

/** The spec of a guild's Cluster, whatever it began as. */
export function clusterSpec(
  guild: DkpGuild,
  settings: GuildSettings,
  database: ManagedDatabase,
  origin: Origin,
): Record<string, unknown> {
  const { instances, storage, image, imageCatalogRef, pooler } = guild.spec.database;
  return {
    instances,
    ...(imageCatalogRef === undefined
      ? { imageName: image ?? settings.postgresImage }
      : { imageCatalogRef: { apiGroup: "postgresql.cnpg.io", ...imageCatalogRef } }),
    // The budget of a single instance would only keep nodes from draining.
    enablePDB: instances > 1,
    storage: {
      size: storage.size,
      ...(storage.storageClass === undefined ? {} : { storageClass: storage.storageClass }),
    },
    ...origin,
    managed: { roles: managedRoles(guild, database) },
    // The Pooler answers with the Cluster's certificate, and bots look at the name.
    ...(pooler === undefined ? {} : { certificates: { serverAltDNSNames: [database.botHost] } }),
    postgresql: {
      parameters: postgresParameters(guild),
      pg_hba: accessRules(guild, database),
      ...(instances > 1 ? { synchronous } : {}),
    },
    resources: instanceResources(guild),
    affinity: { podAntiAffinityType: "preferred", ...placement(guild) },
  };
}

/**
 * A command is answered once a standby has it too, so that a failover takes nothing back. With no standby left the primary goes on alone:
 * members would rather bid on one instance than on none.
 */
const synchronous = { method: "any", number: 1, dataDurability: "preferred" };

function login(name: string, secret: string) {
  return { name, ensure: "present", login: true, passwordSecret: { name: secret } };
}

function managedRoles(guild: DkpGuild, database: ManagedDatabase) {
  const developer = developerRole(guild, database);
  return [
    login(database.runtimeRole, database.runtimeSecret),
    // PostgreSQL drops no role that owns tables, as one may in schema dev; one that may not log in does no harm.
    hasDeveloper(guild)
      ? login(developer, childNames(guild.metadata.name).developer)
      : { name: developer, ensure: "present", login: false, disablePassword: true },
  ];
}

/** Over TLS alone, and to the guild's own database alone; everybody else is refused before CloudNativePG's own rules are reached. */
function accessRules(guild: DkpGuild, database: ManagedDatabase): string[] {
  const roles = [
    database.ownerRole,
    database.runtimeRole,
    ...(hasDeveloper(guild) ? [developerRole(guild, database)] : []),
  ];
  return roles.flatMap((role) => [
    `hostssl ${database.name} ${role} all scram-sha-256`,
    `host all ${role} all reject`,
  ]);
}
