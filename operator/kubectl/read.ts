import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { KubeClient } from "../../runtime/kube/client.ts";
import { isKubeError } from "../../runtime/kube/error.ts";
import { eventResource } from "../../runtime/kube/event.ts";
import { listAll } from "../../runtime/kube/list.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { guildLabel, selectorText } from "../guild/names.ts";
import { guilds, pods } from "../guild/resources.ts";
import { type Call, Failure, oneNamespace } from "./command.ts";

type GuildObject = DkpGuild & KubeObject;

/** All objects of a kind; undefined where the API server does not know the kind. */
export async function listKnown<T extends KubeObject>(
  ...query: Parameters<typeof listAll<T>>
): Promise<T[] | undefined> {
  try {
    return await listAll<T>(...query);
  } catch (error) {
    if (isKubeError(error, 404)) return undefined;
    throw error;
  }
}

/** All guilds of a namespace, or of all. */
export async function allGuilds(client: KubeClient, namespace: string | undefined): Promise<GuildObject[]> {
  const found = await listKnown<GuildObject>(client, guilds, { namespace });
  if (found === undefined) throw new Failure("This cluster knows no DkpGuilds: install dkp-operator first.");
  return found;
}

/** The guild that the first positional names. */
export async function namedGuild(call: Call): Promise<GuildObject> {
  const namespace = oneNamespace(call);
  const [name = ""] = call.positionals;
  const found = await call.client.get<GuildObject>(guilds, { namespace, name });
  if (found !== undefined) return found;
  const others = await allGuilds(call.client, namespace);
  const there = others.map(({ metadata }) => metadata.name).slice(0, 5);
  const hint = there.length === 0 ? "has none; give another by -n" : `has ${there.join(", ")}`;
  throw new Failure(`There is no DkpGuild ${name} in namespace ${namespace}, which ${hint}.`);
}

type ContainerStatus = {
  restartCount?: number;
  ready?: boolean;
  state?: {
    waiting?: { reason?: string; message?: string };
    terminated?: { reason?: string; message?: string };
  };
};

export type PodObject = KubeObject & {
  spec?: { nodeName?: string };
  status?: {
    phase?: string;
    initContainerStatuses?: ContainerStatus[];
    containerStatuses?: ContainerStatus[];
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
  };
};

/** Pods of the guild's bot, of its migration and of its database. */
export async function podsOf(client: KubeClient, guild: DkpGuild): Promise<PodObject[]> {
  const { namespace, name } = guild.metadata;
  const cluster = guild.status?.database?.cluster;
  const selectors = [selectorText({ [guildLabel]: name })];
  if (cluster !== undefined) selectors.push(selectorText({ "cnpg.io/cluster": cluster }));
  const lists = await Promise.all(
    selectors.map((labelSelector) => listKnown<PodObject>(client, pods, { namespace, labelSelector })),
  );
  const byName = new Map(lists.flatMap((list) => list ?? []).map((pod) => [pod.metadata.name, pod]));
  return [...byName.values()].toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}

export type EventObject = KubeObject & {
  type?: string;
  reason?: string;
  note?: string;
  eventTime?: string | null;
  series?: { count: number; lastObservedTime: string };
  deprecatedLastTimestamp?: string | null;
  regarding?: { kind?: string; name?: string };
};

/** When an Event was last seen. */
export function seenAt({ series, eventTime, deprecatedLastTimestamp, metadata }: EventObject): string {
  return series?.lastObservedTime ?? eventTime ?? deprecatedLastTimestamp ?? metadata.creationTimestamp ?? "";
}

/** The Events about a guild itself, the latest first. */
export async function eventsOf(client: KubeClient, guild: DkpGuild): Promise<EventObject[]> {
  const { namespace, uid } = guild.metadata;
  const all = await listKnown<EventObject>(client, eventResource, {
    namespace,
    fieldSelector: `regarding.uid=${uid}`,
  });
  return (all ?? []).toSorted((a, b) => (seenAt(a) > seenAt(b) ? -1 : 1));
}
