import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { childNames } from "./names.ts";

/** Number of a guild's Cluster: 0 for the first, one more for each restore. */
export const incarnationLabel = "dkp.dev/incarnation";

/** On a restored Cluster: the bot has been moved to it. */
export const servingAnnotation = "dkp.dev/serving";

/** A database in a CloudNativePG Cluster: the guild's own, or a part of one that is shared. */
export type ManagedDatabase = {
  mode: "dedicated" | "shared";
  /** The Cluster that serves. */
  cluster: string;
  /** Address of the primary, and where there are standbys, of those. */
  host: string;
  readOnlyHost: string | undefined;
  /** Where the bot connects: the Pooler, if there is one. */
  botHost: string;
  name: string;
  ownerRole: string;
  runtimeRole: string;
  ownerSecret: string;
  runtimeSecret: string;
  authoritySecret: string;
};

/** A database that somebody else runs, known by a connection string. */
export type ExternalDatabase = { mode: "external"; secret: string; key: string; runtimeSecret: undefined };

/** Where a guild's ledger is kept. */
export type Database = ManagedDatabase | ExternalDatabase;

/** Number of a Cluster among those of its guild. */
export function incarnationOf(cluster: KubeObject): number {
  return Number(cluster.metadata.labels?.[incarnationLabel] ?? 0);
}

/**
 * The Cluster that serves, of those that the guild has after restores: the latest that the bot was moved to. The Clusters themselves say so,
 * so that nothing depends on a status.
 */
function servingCluster(guild: DkpGuild, children: ReadonlyMap<string, KubeObject>): string {
  const moved = [...children.values()]
    .filter(
      ({ kind, metadata }) => kind === "Cluster" && metadata.annotations?.[servingAnnotation] === "true",
    )
    .toSorted((a, b) => incarnationOf(b) - incarnationOf(a));
  return moved[0]?.metadata.name ?? childNames(guild.metadata.name).cluster;
}

/** Where this guild's ledger is kept, given what lives of its children. */
export function databaseOf(guild: DkpGuild, children: ReadonlyMap<string, KubeObject>): Database {
  const { database } = guild.spec;
  const names = childNames(guild.metadata.name);
  if (database.mode === "external") {
    const { name = "", key = "uri" } = database.secretRef ?? {};
    return { mode: "external", secret: name, key, runtimeSecret: undefined };
  }
  const domain = `${guild.metadata.namespace}.svc`;
  if (database.mode === "shared") {
    const cluster = database.clusterRef?.name ?? "";
    const owner = `dkp_${guild.spec.guildId}`;
    const host = `${cluster}-rw.${domain}`;
    return {
      mode: "shared",
      cluster,
      host,
      botHost: host,
      readOnlyHost: undefined,
      name: owner,
      ownerRole: owner,
      runtimeRole: `${owner}_bot`,
      ownerSecret: names.owner,
      runtimeSecret: names.runtime,
      authoritySecret: `${cluster}-ca`,
    };
  }
  return dedicatedDatabase(guild, servingCluster(guild, children));
}

/** The database in a Cluster of the guild's own. */
export function dedicatedDatabase(guild: DkpGuild, cluster: string): ManagedDatabase {
  const { database } = guild.spec;
  const host = `${cluster}-rw.${guild.metadata.namespace}.svc`;
  return {
    mode: "dedicated",
    cluster,
    host,
    botHost: database.pooler === undefined ? host : `${poolerName(cluster)}.${guild.metadata.namespace}.svc`,
    readOnlyHost: database.instances > 1 ? `${cluster}-ro.${guild.metadata.namespace}.svc` : undefined,
    name: "dkp",
    ownerRole: "dkp",
    runtimeRole: "dkp_bot",
    ownerSecret: `${cluster}-app`,
    runtimeSecret: childNames(guild.metadata.name).runtime,
    authoritySecret: `${cluster}-ca`,
  };
}

/** Name of the Pooler of a Cluster. */
export function poolerName(cluster: string): string {
  return `${cluster}-pooler`;
}
