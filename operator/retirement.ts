import type { DkpGuild } from "../crds/dkp-guild.ts";
import type { KubeClient } from "../runtime/kube/client.ts";
import { isKubeError } from "../runtime/kube/error.ts";
import type { KubeObject } from "../runtime/kube/object.ts";
import { takeBackup } from "./backups.ts";
import { removeAccounts, removeAll, removeObject, removeOwn } from "./farewell.ts";
import { hasPlugin, scheduledBackupName } from "./guild/backup.ts";
import { type Identity, belongsTo } from "./guild/child.ts";
import { databaseOf } from "./guild/database.ts";
import { hibernationAnnotation } from "./guild/hibernation.ts";
import { botSelector, childNames, guildIdLabel, guildLabel, selectorText } from "./guild/names.ts";
import {
  clusters,
  deployments,
  guilds,
  networkPolicies,
  objectStores,
  scheduledBackups,
} from "./guild/resources.ts";
import { hasLivingPods } from "./pods.ts";
import { deleteAfterAnnotation, policyAnnotation, removalDate } from "./guild/retention.ts";

/** The guild's Clusters, those too that a restore has retired. */
export async function ownClusters(client: KubeClient, guild: DkpGuild): Promise<KubeObject[]> {
  const { namespace, name } = guild.metadata;
  const labelSelector = selectorText({ [guildLabel]: name });
  try {
    const { items } = await client.list(clusters, { namespace, labelSelector });
    return items.filter((live) => belongsTo(guild, live));
  } catch (error) {
    // CloudNativePG was taken away, and all Clusters with it.
    if (isKubeError(error, 404)) return [];
    throw error;
  }
}

/** Stops the bot, so that nothing is written after the last backup; answers whether its pods are gone. */
export async function stopBot(client: KubeClient, guild: DkpGuild): Promise<boolean> {
  const { name } = guild.metadata;
  await removeOwn(client, guild, deployments, childNames(name).bot);
  return !(await hasLivingPods(client, guild, botSelector(name)));
}

/** What has become of the last backup of the serving Cluster. One that sleeps was backed up before, and nothing was written since. */
export async function lastBackup(
  client: KubeClient,
  guild: DkpGuild,
  mine: readonly KubeObject[],
): Promise<{ state: "done" | "running" | "failed" | "impossible"; message: string }> {
  const database = databaseOf(guild, new Map(mine.map((live) => [`Cluster/${live.metadata.name}`, live])));
  const serving = mine.find(
    ({ metadata }) => database.mode === "dedicated" && metadata.name === database.cluster,
  );
  if (serving === undefined || serving.metadata.deletionTimestamp !== undefined)
    return { state: "done", message: "" };
  const isAsleep = serving.metadata.annotations?.[hibernationAnnotation] === "on";
  const way = "mend it, or set spec.deletionPolicy to Retain or Delete";
  if (!hasPlugin(serving))
    return {
      state: "impossible",
      message: `Cluster ${serving.metadata.name} is not backed up to an object store, so there can be no last backup: ${way}`,
    };
  if (isAsleep) return { state: "done", message: "" };
  // One that an earlier guild of the same name has left is not the last one.
  const name = `${serving.metadata.name}-last-${guild.metadata.uid.slice(0, 8)}`;
  const { phase, error = "" } = (await takeBackup(client, guild, serving, name)).status ?? {};
  if (phase === "completed") return { state: "done", message: "" };
  return phase === "failed"
    ? {
        state: "failed",
        message: `Backup ${name} failed (${error}): ${way}; delete that Backup to try again`,
      }
    : { state: "running", message: `Backup ${name} is being taken before the database is removed` };
}

/** Stops Clusters and writes on them when they are to be removed; answers when that is. */
export async function retire(
  client: KubeClient,
  guild: DkpGuild,
  mine: readonly KubeObject[],
): Promise<string> {
  const until = removalDate(guild);
  for (const { metadata } of mine) {
    // Nothing is left to back up.
    await removeOwn(client, guild, scheduledBackups, scheduledBackupName(metadata.name));
    if (metadata.annotations?.[deleteAfterAnnotation] !== undefined) continue;
    const annotations = {
      [deleteAfterAnnotation]: until,
      [policyAnnotation]: guild.spec.deletionPolicy,
      [hibernationAnnotation]: "on",
    };
    await client.mergePatch(clusters, metadata, { metadata: { uid: metadata.uid, annotations } });
  }
  return until;
}

/** A guild was declared anew: its Clusters stay, and go on. */
export async function takeUpAgain(client: KubeClient, mine: readonly KubeObject[]): Promise<KubeObject[]> {
  const retired = mine.filter(({ metadata }) => metadata.annotations?.[deleteAfterAnnotation] !== undefined);
  return Promise.all(
    retired.map(({ metadata }) => {
      const annotations = {
        [deleteAfterAnnotation]: null,
        [policyAnnotation]: null,
        [hibernationAnnotation]: null,
      };
      return client.mergePatch(clusters, metadata, { metadata: { uid: metadata.uid, annotations } });
    }),
  );
}

/** Removes the Clusters of a guild that is no more whose time has come; answers in how many milliseconds the next one's does. */
export async function sweep(
  client: KubeClient,
  left: readonly KubeObject[],
  nowMs: number,
): Promise<number | undefined> {
  const marked = left.flatMap((live) => {
    const at = Date.parse(live.metadata.annotations?.[deleteAfterAnnotation] ?? "");
    return Number.isNaN(at) || live.metadata.deletionTimestamp !== undefined ? [] : [{ live, at }];
  });
  const over = marked.filter(({ at }) => at <= nowMs).map(({ live }) => live);
  for (const live of over) {
    const guild = identityOf(live);
    // Declared anew only just now, it keeps what it had.
    if ((await client.get(guilds, guild.metadata)) !== undefined) return undefined;
    await removeOwn(client, guild, networkPolicies, live.metadata.name);
    const staying = left.filter(
      (other) => other.metadata.deletionTimestamp === undefined && !over.includes(other),
    );
    if (!staying.some((other) => belongsTo(guild, other))) await removeRest(client, guild, live);
    await removeObject(client, clusters, live);
  }
  const waiting = marked.map(({ at }) => at).filter((at) => at > nowMs);
  return waiting.length === 0 ? undefined : Math.min(...waiting) - nowMs;
}

/** The guild that a Cluster was made for. */
function identityOf({ metadata }: KubeObject): Identity {
  const { namespace = "", labels = {} } = metadata;
  return {
    metadata: { name: labels[guildLabel] ?? "", namespace, uid: "" },
    spec: { guildId: labels[guildIdLabel] ?? "" },
  };
}

/** Removes what a guild has beside its Clusters. Before the last of those, which is what brings us here. */
async function removeRest(client: KubeClient, guild: Identity, last: KubeObject): Promise<void> {
  // After Snapshot the last backup could not be restored without it.
  if (last.metadata.annotations?.[policyAnnotation] === "Delete")
    await removeAll(client, guild, objectStores);
  await removeAccounts(client, guild);
}
