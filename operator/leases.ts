import type { DkpGuild } from "../crds/dkp-guild.ts";
import type { KubeClient } from "../runtime/kube/client.ts";
import { listAll } from "../runtime/kube/list.ts";
import { type KubeObject, objectKey } from "../runtime/kube/object.ts";
import type { Logger } from "../runtime/log.ts";
import { belongsTo } from "./guild/child.ts";
import { childNames, childSelector } from "./guild/names.ts";
import { leases } from "./guild/resources.ts";

/**
 * Which guilds have their Lease. Leases are renewed every few seconds by every guild's leader, so a watch would cost more than it tells:
 * they are listed now and then instead, and a guild whose Lease has gone is looked at again.
 */
export type LeaseRound = {
  /** The Lease of a guild as last listed or remembered. */
  leaseOf(guild: DkpGuild): KubeObject | undefined;
  remember(lease: KubeObject): void;
  /** Lists all Leases once; answers the guilds that had one before and have none now. */
  walk(): Promise<string[]>;
  stop(): void;
};

export function leaseRound(options: {
  client: KubeClient;
  namespaces: readonly string[];
  periodMs: number;
  guilds(): Iterable<DkpGuild>;
  onMissing: (key: string) => void;
  log: Logger;
}): LeaseRound {
  const { client, log } = options;
  let known = new Map<string, KubeObject>();
  const leaseOf = (guild: DkpGuild) => {
    const { namespace, name } = guild.metadata;
    const found = known.get(objectKey({ namespace, name: childNames(name).lease }));
    return found !== undefined && belongsTo(guild, found) ? found : undefined;
  };
  const walk = async () => {
    const before = new Map(known);
    const listed = await leasesIn(client, options.namespaces);
    const made = [...known].filter(([key, lease]) => before.get(key) !== lease);
    // What was made while the list was on its way is not in it.
    known = new Map([...listed, ...made]);
    return [...options.guilds()]
      .filter((guild) => leaseOf(guild) === undefined)
      .map(({ metadata }) => objectKey(metadata));
  };
  const timer = setInterval(() => {
    walk().then(
      (missing) => missing.forEach(options.onMissing),
      (error: unknown) => log.warn({ err: error }, "leases could not be listed, trying again later"),
    );
  }, options.periodMs);
  return {
    leaseOf,
    walk,
    remember: (lease) => {
      known.set(objectKey(lease.metadata), bare(lease));
    },
    stop: () => clearInterval(timer),
  };
}

async function leasesIn(client: KubeClient, namespaces: readonly string[]): Promise<Map<string, KubeObject>> {
  const found = new Map<string, KubeObject>();
  for (const namespace of namespaces.length === 0 ? [undefined] : namespaces)
    for (const lease of await listAll<KubeObject>(client, leases, {
      namespace,
      labelSelector: childSelector,
    }))
      found.set(objectKey(lease.metadata), bare(lease));
  return found;
}

function bare({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  const { managedFields: _fields, ...named } = metadata;
  return { apiVersion, kind, metadata: named };
}
