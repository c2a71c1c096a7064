import { isDeepStrictEqual } from "node:util";
import type { DkpGuild } from "../crds/dkp-guild.ts";
import { type CacheChange, type ObjectCache, objectCache } from "../runtime/kube/cache.ts";
import type { KubeClient } from "../runtime/kube/client.ts";
import { type KubeObject, type Resource, objectKey } from "../runtime/kube/object.ts";
import { type Reflector, reflect } from "../runtime/kube/reflector.ts";
import type { Logger } from "../runtime/log.ts";
import { belongsTo, childKey } from "./guild/child.ts";
import { childSelector, guildLabel } from "./guild/names.ts";
import * as kinds from "./guild/resources.ts";
import { shelled, wordsOf } from "./guild/shell.ts";
import { type RestoreWatch, watchRestores } from "./restore-watch.ts";
import type { Rollouts } from "./rollouts.ts";
import { tokenRegister } from "./tokens.ts";

/** Kinds that are watched by our label. Secrets are not, so that nobody who reads our rights need worry; Leases change all the time. */
export const watched: readonly Resource[] = [
  kinds.serviceAccounts,
  kinds.configMaps,
  kinds.services,
  kinds.roles,
  kinds.roleBindings,
  kinds.deployments,
  kinds.jobs,
  kinds.podDisruptionBudgets,
  kinds.networkPolicies,
  kinds.clusters,
  kinds.scheduledBackups,
  kinds.objectStores,
  kinds.databases,
  kinds.databaseRoles,
  kinds.poolers,
  kinds.podMonitors,
];

/** Kinds that others bring: when they come, every guild may have something to do. */
const foundations = new Set([
  kinds.clusters,
  kinds.databases,
  kinds.databaseRoles,
  kinds.poolers,
  kinds.objectStores,
  kinds.podMonitors,
]);

type Children = { own: Map<string, KubeObject>; foreign: KubeObject[] };

/** What the API server holds of guilds and their children, kept up to date by watches. */
export type World = {
  guild(key: string): DkpGuild | undefined;
  guilds(): IterableIterator<DkpGuild>;
  guildsOf(guildId: string): readonly DkpGuild[];
  /** Guilds that were seen to use the token of this short hash, or whose status says so. */
  guildsWithToken(hash: string): readonly DkpGuild[];
  /** A guild was seen to use this token: whoever else uses it may have to stop. */
  noteToken(guild: DkpGuild, hash: string | undefined): void;
  children(guild: DkpGuild): Children;
  /** What has the name of one child of a guild. */
  child(guild: DkpGuild, resource: Resource, name: string): KubeObject | undefined;
  /** Clusters that bear the label of this guild, whether or not there still is one. */
  clustersOf(key: string): readonly KubeObject[];
  /** Keys of the guilds that Clusters name, also of those that are gone. */
  guildsWithClusters(): ReadonlySet<string>;
  /** Takes in the answer of an own write, so that its echo wakes nobody. */
  remember(resource: Resource, object: KubeObject): void;
  /** Watched kinds that the API server does not know. */
  absentKinds(): ReadonlySet<string>;
  restores: RestoreWatch;
  synced: Promise<void>;
  hasSynced(): boolean;
  stop(): Promise<void>;
};

type GuildObject = DkpGuild & KubeObject;

export function openWorld(options: {
  client: KubeClient;
  namespaces: readonly string[];
  /** `namespace/name` of a guild that something happened to. */
  onGuild: (key: string) => void;
  rollouts: Pick<Rollouts, "onHeld" | "onDropped">;
  log: Logger;
}): World {
  const { client, namespaces, onGuild, log } = options;
  const guilds = guildCache(options.rollouts);
  const { forget: forgetToken, ...tokens } = tokensInUse(guilds, onGuild);
  const caches = new Map(
    watched.map((resource) => [resource.plural, objectCache({ indexes: { guild: guildOf }, trim })]),
  );
  const everyGuild = () => {
    for (const guild of guilds.values()) onGuild(objectKey(guild.metadata));
  };
  // All kinds are listed at once, and a page as it is parsed takes ten times what is kept of it.
  const shared = { client, namespaces, log, pageSize: 250 };
  const guildReflector = reflect({
    ...shared,
    resource: kinds.guilds,
    cache: guilds,
    onChange: (change) => {
      if (change.type === "deleted") forgetToken(objectKey(change.object.metadata));
      for (const { metadata } of [change.object, ...rivals(guilds, change)]) onGuild(objectKey(metadata));
    },
  });
  const reflectorOf = (resource: Resource, cache: ObjectCache<KubeObject>) =>
    reflect({
      ...shared,
      resource,
      cache,
      labelSelector: childSelector,
      onChange: (change) => {
        if (isNews(change)) guildOf(change.object).forEach(onGuild);
        if (change.type === "updated") guildOf(change.previous).forEach(onGuild);
      },
      onState: (state) => {
        if (foundations.has(resource) && (state === "watching" || state === "absent")) everyGuild();
      },
    });
  const childReflectors = watched.map((resource) => reflectorOf(resource, cacheOf(caches, resource)));
  const restores = watchRestores(options);
  const reflectors: Reflector[] = [guildReflector, restores.reflector, ...childReflectors];

  return {
    guild: (key) => guilds.getByKey(key),
    guilds: () => guilds.values(),
    guildsOf: (guildId) => guilds.byIndex("guildId", guildId),
    ...tokens,
    children: (guild) => childrenOf(guild, caches.values()),
    child: ({ metadata: { namespace } }, { plural }, name) => caches.get(plural)?.get({ namespace, name }),
    clustersOf: (key) => caches.get(kinds.clusters.plural)?.byIndex("guild", key) ?? [],
    guildsWithClusters: () =>
      new Set([...(caches.get(kinds.clusters.plural)?.values() ?? [])].flatMap((live) => guildOf(live))),
    remember: (resource, object) => {
      if (resource === kinds.guilds) guilds.remember(object as GuildObject);
      else caches.get(resource.plural)?.remember(object);
    },
    absentKinds: () => absent(childReflectors),
    restores,
    synced: Promise.all(reflectors.map(({ synced }) => synced)).then(() => undefined),
    hasSynced: () => reflectors.every((reflector) => reflector.hasSynced()),
    stop: async () => {
      await Promise.all(reflectors.map((reflector) => reflector.stop()));
    },
  };
}

function childrenOf(guild: DkpGuild, caches: Iterable<ObjectCache<KubeObject>>): Children {
  const all = [...caches].flatMap((cache) => cache.byIndex("guild", objectKey(guild.metadata)));
  const own = all.filter((object) => belongsTo(guild, object));
  return {
    own: new Map(own.map((object) => [childKey(object), object])),
    foreign: all.filter((object) => !belongsTo(guild, object)),
  };
}

/** Kinds of children that the API server does not know; `reflectors` in the order of `watched`. */
function absent(reflectors: Reflector[]): ReadonlySet<string> {
  const states = watched.map(({ kind }, index) => ({ kind, state: reflectors[index]?.state() }));
  return new Set(states.filter(({ state }) => state === "absent").map(({ kind }) => kind));
}

function guildCache({ onHeld, onDropped }: Pick<Rollouts, "onHeld" | "onDropped">): ObjectCache<GuildObject> {
  return objectCache<GuildObject>({
    onHeld,
    onDropped,
    indexes: {
      guildId: (guild) => [guild.spec.guildId],
      token: ({ status }) => (status?.tokenHash === undefined ? [] : [status.tokenHash]),
    },
  });
}

function tokensInUse(guilds: ObjectCache<GuildObject>, onGuild: (key: string) => void) {
  const noted = tokenRegister();
  const guildsWithToken = (hash: string): readonly DkpGuild[] => [
    ...guilds.byIndex("token", hash),
    ...noted.keysOf(hash).flatMap((key) => guilds.getByKey(key) ?? []),
  ];
  const noteToken = (guild: DkpGuild, hash: string | undefined) => {
    const key = objectKey(guild.metadata);
    if (hash === undefined || hash === guild.status?.tokenHash) noted.forget(key);
    else if (noted.note(key, hash))
      for (const sharer of guildsWithToken(hash).map(({ metadata }) => objectKey(metadata)))
        if (sharer !== key) onGuild(sharer);
  };
  return { guildsWithToken, noteToken, forget: noted.forget };
}

/** The others with the same id or token, where a change means that they have to stop or may go on. */
function rivals(guilds: ObjectCache<GuildObject>, change: CacheChange<GuildObject>): GuildObject[] {
  const { object } = change;
  const twins = change.type === "updated" ? [] : guilds.byIndex("guildId", object.spec.guildId);
  const before = change.type === "updated" ? change.previous.status?.tokenHash : undefined;
  const after = object.status?.tokenHash;
  const hashes = change.type === "updated" && before === after ? [] : [before, after];
  const sharers = hashes.flatMap((hash) => (hash === undefined ? [] : guilds.byIndex("token", hash)));
  return [...twins, ...sharers];
}

function cacheOf(
  caches: Map<string, ObjectCache<KubeObject>>,
  { plural }: Resource,
): ObjectCache<KubeObject> {
  const cache = caches.get(plural);
  if (cache === undefined) throw new Error(`no cache for ${plural}`);
  return cache;
}

function guildOf({ metadata }: KubeObject): string[] {
  const name = metadata.labels?.[guildLabel];
  return name === undefined ? [] : [objectKey({ namespace: metadata.namespace ?? "", name })];
}

function withoutVersion({ metadata, ...rest }: KubeObject): object {
  const { resourceVersion: _version, managedFields: _fields, ...named } = metadata;
  return { ...rest, metadata: named };
}

/** Whether anything but the version changed. */
function isNews(change: CacheChange<KubeObject>): boolean {
  if (change.type !== "updated") return true;
  const { previous, object } = change;
  if (wordsOf(previous) !== wordsOf(object)) return true;
  return !isDeepStrictEqual(withoutVersion(previous), withoutVersion(object));
}

/** Keeps of a Cluster's long status what is looked at, of a Job, which cannot change, how it fares, and of most kinds a shell. */
function trim(object: KubeObject): KubeObject {
  if (object.kind === "Job") {
    const { apiVersion, kind, metadata, status } = object;
    return { apiVersion, kind, metadata, status };
  }
  if (object.kind !== "Cluster") return shelled(object);
  const status = (object["status"] ?? {}) as Record<string, unknown>;
  const kept = [
    "phase",
    "phaseReason",
    "image",
    "instances",
    "readyInstances",
    "currentPrimary",
    "conditions",
    "managedRolesStatus",
  ];
  object["status"] = Object.fromEntries(
    kept.flatMap((name) => (name in status ? [[name, status[name]]] : [])),
  );
  return object;
}
