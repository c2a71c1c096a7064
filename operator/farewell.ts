import type { DkpGuild } from "../crds/dkp-guild.ts";
import type { KubeClient } from "../runtime/kube/client.ts";
import { isKubeError } from "../runtime/kube/error.ts";
import type { KubeObject, Resource } from "../runtime/kube/object.ts";
import { type Identity, belongsTo } from "./guild/child.ts";
import { childNames, guildIdLabel, guildLabel, selectorText } from "./guild/names.ts";
import { databaseRoles, databases, deployments, secrets } from "./guild/resources.ts";
import { sharedNames } from "./guild/shared-database.ts";

/** Deletes exactly this object, in the background. If it has gone, or another has its name by now, the next look deals with that. */
export async function removeObject(
  client: KubeClient,
  resource: Resource,
  { metadata }: KubeObject,
): Promise<void> {
  const { uid = "", deletionTimestamp } = metadata;
  if (deletionTimestamp !== undefined) return;
  try {
    await client.remove(resource, metadata, { uid, propagation: "Background" });
  } catch (error) {
    if (!isKubeError(error, 404) && !isKubeError(error, 409)) throw error;
  }
}

/** Deletes what is the guild's; answers whether it is still there. */
export async function removeOwn(
  client: KubeClient,
  guild: Identity,
  resource: Resource,
  name: string,
): Promise<boolean> {
  const live = await own(client, guild, resource, name);
  if (live === undefined) return false;
  await removeObject(client, resource, live);
  return true;
}

/** Deletes the Secrets of the accounts that we made. */
export async function removeAccounts(client: KubeClient, guild: Identity): Promise<void> {
  const { runtime, owner, developer } = childNames(guild.metadata.name);
  for (const name of [runtime, owner, developer]) await removeOwn(client, guild, secrets, name);
}

/**
 * Has CloudNativePG drop a database in a shared Cluster, then its roles; answers whether something of them is still there. The bot goes before:
 * PostgreSQL drops no database that somebody is connected to, and the garbage collector would take the bot only after the guild.
 */
export async function dropShared(client: KubeClient, guild: DkpGuild): Promise<boolean> {
  const names = sharedNames(guild);
  await removeOwn(client, guild, deployments, childNames(guild.metadata.name).bot);
  if (await drop(client, guild, databases, names.database, "databaseReclaimPolicy")) return true;
  const roles = await Promise.all(
    [names.owner, names.runtime, names.developer].map((role) =>
      drop(client, guild, databaseRoles, role, "databaseRoleReclaimPolicy"),
    ),
  );
  return roles.includes(true);
}

/** As `removeOwn`, and sees to it that CloudNativePG drops what the object stands for: the guild may have asked for it only just now. */
async function drop(
  client: KubeClient,
  guild: DkpGuild,
  resource: Resource,
  name: string,
  policy: string,
): Promise<boolean> {
  const live = await own(client, guild, resource, name);
  if (live === undefined) return false;
  const { uid } = live.metadata;
  const spec = (live["spec"] ?? {}) as Record<string, unknown>;
  if (spec[policy] !== "delete")
    await client.mergePatch(resource, live.metadata, { metadata: { uid }, spec: { [policy]: "delete" } });
  return removeOwn(client, guild, resource, name);
}

async function own(
  client: KubeClient,
  guild: Identity,
  resource: Resource,
  name: string,
): Promise<KubeObject | undefined> {
  const live = await client.get(resource, { namespace: guild.metadata.namespace, name });
  return live !== undefined && belongsTo(guild, live) ? live : undefined;
}

/** Deletes all of a kind that outlives the guild's resource; answers whether any was still there. A kind that is missing has none. */
export async function removeAll(client: KubeClient, guild: Identity, resource: Resource): Promise<boolean> {
  const { namespace, name } = guild.metadata;
  const labelSelector = selectorText({ [guildLabel]: name, [guildIdLabel]: guild.spec.guildId });
  const { items } = await client.list(resource, { namespace, labelSelector }).catch((error: unknown) => {
    if (isKubeError(error, 404)) return { items: [] };
    throw error;
  });
  const lasting = items.filter(({ metadata }) => (metadata.ownerReferences ?? []).length === 0);
  for (const { metadata } of lasting) await removeOwn(client, guild, resource, metadata.name);
  return lasting.length > 0;
}
