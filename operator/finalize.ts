import type { DkpGuild } from "../crds/dkp-guild.ts";
import type { KubeClient } from "../runtime/kube/client.ts";
import { isKubeError } from "../runtime/kube/error.ts";
import type { KubeObject } from "../runtime/kube/object.ts";
import { dropShared, removeAccounts, removeAll } from "./farewell.ts";
import { childNames } from "./guild/names.ts";
import {
  clusters,
  guilds,
  namespaces,
  networkPolicies,
  objectStores,
  scheduledBackups,
} from "./guild/resources.ts";
import { lastBackup, ownClusters, retire, stopBot } from "./retirement.ts";
import type { Transition } from "./guild/transitions.ts";

const finalizer = "dkp.dev/database";

/** Holds the guild back from vanishing before its database is seen to. Bound to the uid, so that a vanished guild is not made anew. */
export function holdBack(client: KubeClient, guild: DkpGuild): Promise<KubeObject> {
  const { name, namespace, uid } = guild.metadata;
  return client.apply(guilds, {
    apiVersion: guild.apiVersion,
    kind: guild.kind,
    metadata: { name, namespace, uid, finalizers: [finalizer] },
  });
}

export function isHeldBack(guild: DkpGuild): boolean {
  return guild.metadata.finalizers?.includes(finalizer) === true;
}

/** What was done about a deleted guild's database; "waiting" until CloudNativePG has taken it down. */
export type Farewell = { done: boolean; told: Transition };

/**
 * Does as `deletionPolicy` says. In a namespace that is itself being deleted nothing can be kept, so the guild is let go at once. Needs no
 * memory: whenever it is interrupted, it starts again from what is there.
 */
export async function bidFarewell(client: KubeClient, guild: DkpGuild): Promise<Farewell> {
  const { cluster, runtime } = childNames(guild.metadata.name);
  const space = await client.get(namespaces, { name: guild.metadata.namespace });
  if (space?.metadata.deletionTimestamp !== undefined) {
    return told(
      true,
      "Warning",
      "NamespaceTerminating",
      `The namespace is being deleted, and database ${cluster} with it`,
    );
  }
  const { mode } = guild.spec.database;
  if (mode === "external") {
    return told(
      true,
      "Normal",
      "DatabaseRetained",
      "The external database stays as it is: it is its owner's",
    );
  }
  if (mode === "shared") return fromShared(client, guild);
  if (guild.spec.deletionPolicy === "Retain") {
    const message = `Database ${cluster} and Secret ${runtime} stay: a DkpGuild of the same name and guildId takes them up again`;
    return told(true, "Normal", "DatabaseRetained", message);
  }
  return fromOwn(client, guild);
}

/** The bot first, then the last backup, then the database: at once, or when the time of spec.retention is over. */
async function fromOwn(client: KubeClient, guild: DkpGuild): Promise<Farewell> {
  const { cluster, runtime } = childNames(guild.metadata.name);
  if (!(await stopBot(client, guild)))
    return told(false, "Normal", "StoppingBot", "The bot is being stopped");
  const mine = await ownClusters(client, guild);
  if (guild.spec.deletionPolicy === "Snapshot") {
    const { state, message } = await lastBackup(client, guild, mine);
    if (state === "running") return told(false, "Normal", "LastBackup", message);
    if (state !== "done") return told(false, "Warning", "LastBackupFailed", message);
  }
  if (guild.spec.retention !== undefined && mine.length > 0) {
    const until = await retire(client, guild, mine);
    const message = `Database ${cluster} is stopped and stays with Secret ${runtime} until ${until}: a DkpGuild of the same name and guildId takes it up again`;
    return told(true, "Normal", "DatabaseRetired", message);
  }
  const policy = "as spec.deletionPolicy says";
  // Restores may have left several.
  if (await removeAll(client, guild, clusters))
    return told(false, "Normal", "DeletingDatabase", `Database ${cluster} is being deleted, ${policy}`);
  // Without its ObjectStore the last backup could not be restored.
  const stores = guild.spec.deletionPolicy === "Snapshot" ? [] : [objectStores];
  for (const resource of [networkPolicies, scheduledBackups, ...stores]) {
    await removeAll(client, guild, resource);
  }
  await removeAccounts(client, guild);
  return told(true, "Normal", "DatabaseDeleted", `Database ${cluster} was deleted, ${policy}`);
}

async function fromShared(client: KubeClient, guild: DkpGuild): Promise<Farewell> {
  const what = `Database dkp_${guild.spec.guildId} in Cluster ${guild.spec.database.clusterRef?.name}`;
  if (guild.spec.deletionPolicy === "Retain") {
    const message = `${what} and its Secrets stay: a DkpGuild of the same name and guildId takes them up again`;
    return told(true, "Normal", "DatabaseRetained", message);
  }
  if (await dropShared(client, guild)) {
    const message = `${what} is being dropped, as spec.deletionPolicy says`;
    return told(false, "Normal", "DeletingDatabase", message);
  }
  await removeAccounts(client, guild);
  return told(true, "Normal", "DatabaseDeleted", `${what} was dropped, as spec.deletionPolicy says`);
}

function told(done: boolean, type: Transition["type"], reason: string, message: string): Farewell {
  return { done, told: { type, reason, message } };
}

/** Lets the guild go. */
export async function letGo(client: KubeClient, guild: DkpGuild): Promise<void> {
  const { name, namespace, resourceVersion, uid, finalizers = [] } = guild.metadata;
  const rest = finalizers.filter((entry) => entry !== finalizer);
  try {
    await client.mergePatch(
      guilds,
      { namespace, name },
      { metadata: { uid, resourceVersion, finalizers: rest } },
    );
  } catch (error) {
    if (!isKubeError(error, 404)) throw error;
  }
}
