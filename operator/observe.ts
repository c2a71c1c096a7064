import type { DkpGuild } from "../crds/dkp-guild.ts";
import type { KubeClient } from "../runtime/kube/client.ts";
import { type KubeObject, objectKey } from "../runtime/kube/object.ts";
import { wantedBackup } from "./guild/backup.ts";
import { belongsTo, childKey } from "./guild/child.ts";
import { type Database, databaseOf } from "./guild/database.ts";
import { podSelector, selectorText } from "./guild/names.ts";
import type { Observation, PodProblem, SecretState } from "./guild/observation.ts";
import { type DeploymentObject, type Progress, notApplied } from "./guild/progress.ts";
import { clusters, pods } from "./guild/resources.ts";
import { accounts } from "./guild/secret.ts";
import { isHeldBack } from "./finalize.ts";
import type { LeaseRound } from "./leases.ts";
import type { SecretReader, Trust } from "./secrets.ts";
import type { World } from "./world.ts";

export type Senses = {
  client: KubeClient;
  world: Pick<World, "absentKinds" | "children" | "guildsOf" | "guildsWithToken" | "noteToken">;
  secrets: SecretReader;
  leases: Pick<LeaseRound, "leaseOf">;
  clock: () => number;
};

/** Everything known about a guild now: from the caches, and its Secrets one by one. */
export async function observe(senses: Senses, guild: DkpGuild): Promise<Observation> {
  const { world, leases } = senses;
  const { own, foreign } = world.children(guild);
  const database = databaseOf(guild, own);
  const [secrets, made, backup] = await Promise.all([
    secretStates(senses, guild, namedSecrets(guild)),
    Promise.all(accounts(guild, database).map(({ secret }) => accountSecret(senses, guild, secret))),
    backupNeeds(senses, guild),
  ]);
  const tokenHash = hashOfToken(guild, secrets);
  world.noteToken(guild, tokenHash);
  const lease = leases.leaseOf(guild);
  const extra = [lease, ...made.map((secret) => secret.own)].filter((object) => object !== undefined);
  for (const object of extra) own.set(childKey(object), object);
  const taken = [...foreign, ...made.flatMap((secret) => secret.foreign ?? [])];
  return {
    nowMs: senses.clock(),
    absentKinds: world.absentKinds(),
    sharedCluster: await sharedCluster(senses, guild, own, database),
    children: own,
    taken: taken.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
    secrets,
    backup,
    tokenHash,
    rollout: guild.status?.rollout,
    conflict: conflict(world, guild, tokenHash),
    refusals: [],
  };
}

async function backupNeeds(senses: Senses, guild: DkpGuild): Promise<Observation["backup"]> {
  const store = wantedBackup(guild)?.objectStore;
  if (store === undefined) return undefined;
  const plugin = senses.world.absentKinds().has("ObjectStore") ? "absent" : "installed";
  if (plugin === "absent") return { plugin, secrets: [] };
  const { name, accessKeyIdKey, secretAccessKeyKey } = store.secretRef;
  const keys = [accessKeyIdKey, secretAccessKeyKey].map((key) => ({ name, key }));
  const wanted = [...keys, ...(store.endpointCA === undefined ? [] : [store.endpointCA])];
  const states = await secretStates(
    senses,
    guild,
    wanted.map((ref) => ({ use: "backup" as const, ...ref })),
  );
  return { plugin, secrets: states };
}

type Wanted = { use: SecretState["use"]; name: string; key: string };

/** The keys that spec.discord and spec.database name. */
function namedSecrets(guild: DkpGuild): Wanted[] {
  const { tokenSecretRef, applicationIdSecretRef } = guild.spec.discord;
  const { mode, secretRef } = guild.spec.database;
  return [
    ...[tokenSecretRef, applicationIdSecretRef].map((ref) => ({ use: "discord" as const, ref })),
    { use: "database" as const, ref: mode === "external" ? secretRef : undefined },
  ].flatMap(({ use, ref }) => (ref === undefined ? [] : [{ use, ...ref }]));
}

function secretStates({ secrets, clock }: Senses, guild: DkpGuild, wanted: Wanted[]): Promise<SecretState[]> {
  const trust = trustIn(guild, clock());
  return Promise.all(
    wanted.map(async ({ use, name, key }): Promise<SecretState> => {
      const ref = { namespace: guild.metadata.namespace, name };
      const found = await secrets.look(ref, trust);
      const hash = found?.keys.get(key);
      if (hash !== undefined) return { use, secret: name, key, state: "present", hash };
      secrets.forget(ref);
      return { use, secret: name, key, state: found === undefined ? "secretMissing" : "keyMissing" };
    }),
  );
}

async function accountSecret(
  { secrets, clock }: Senses,
  guild: DkpGuild,
  name: string,
): Promise<{ own?: KubeObject; foreign?: KubeObject }> {
  const ref = { namespace: guild.metadata.namespace, name };
  // A guild that was never looked at has none, or one that is found when its own cannot be made.
  const isNew = !isHeldBack(guild) && guild.status?.phase === undefined;
  const found = isNew ? undefined : await secrets.look(ref, trustIn(guild, clock()));
  if (found === undefined) return {};
  if (!belongsTo(guild, found.object)) {
    secrets.forget(ref);
    return { foreign: found.object };
  }
  return found.keys.has("username") && found.keys.has("password") ? { own: found.object } : {};
}

/** A Cluster that is not the guild's is not watched; whether it is there is asked for only while nothing has come of the database in it. */
async function sharedCluster(
  { client }: Senses,
  guild: DkpGuild,
  own: ReadonlyMap<string, KubeObject>,
  database: Database,
): Promise<Observation["sharedCluster"]> {
  if (database.mode !== "shared" || notApplied(guild, { children: own }).length === 0) return undefined;
  const live = await client.get(clusters, { namespace: guild.metadata.namespace, name: database.cluster });
  return live === undefined ? "missing" : "present";
}

/** How long a guild may be on its way up before its Secrets are looked at as if something were amiss. */
const wayUpMs = 5 * 60_000;

function trustIn({ metadata, status }: DkpGuild, nowMs: number): Trust {
  const phase = status?.phase;
  const isYoung = nowMs - (Date.parse(metadata.creationTimestamp ?? "") || 0) < wayUpMs;
  const goesUp = isYoung && phase !== "Stalled" && phase !== "Degraded";
  return goesUp || phase === "Ready" ? "well" : "amiss";
}

/** Sorts guilds by their birth. */
function age({ metadata }: DkpGuild): string {
  return `${metadata.creationTimestamp} ${metadata.uid}`;
}

/** That of the token in use: pods go on with the last one where the Secret has gone. */
function hashOfToken(guild: DkpGuild, states: SecretState[]): string | undefined {
  const { tokenSecretRef } = guild.spec.discord;
  const state = states.find(
    ({ secret, key }) => secret === tokenSecretRef?.name && key === tokenSecretRef.key,
  );
  return state?.hash ?? guild.status?.tokenHash;
}

/**
 * The oldest other guild with the same Discord id or, by what its status says, the same token, if this one is not the oldest itself.
 */
function conflict(
  world: Senses["world"],
  guild: DkpGuild,
  tokenHash: string | undefined,
): Observation["conflict"] {
  const older = (guilds: readonly DkpGuild[]) => {
    const [first] = [...guilds, guild].toSorted((a, b) => (age(a) < age(b) ? -1 : 1));
    return first === undefined || first.metadata.uid === guild.metadata.uid
      ? undefined
      : objectKey(first.metadata);
  };
  const namesake = older(world.guildsOf(guild.spec.guildId));
  if (namesake !== undefined) return { with: namesake, over: "guildId" };
  const sharer = tokenHash === undefined ? undefined : older(world.guildsWithToken(tokenHash));
  return sharer === undefined ? undefined : { with: sharer, over: "token" };
}

/** How long pods may take before anybody asks why they do not run. */
const patienceMs = 10_000;

/** Whether pods are wanted that do not run, and since so long that it is worth asking why. */
export function looksAtPods(guild: DkpGuild, { nowMs }: Observation, facts: Progress): "no" | "soon" | "now" {
  const since = waitingSince(guild, facts);
  if (since === undefined) return "no";
  return nowMs - (Date.parse(since) || 0) >= patienceMs ? "now" : "soon";
}

function waitingSince(guild: DkpGuild, { job, migration, deployment }: Progress): string | undefined {
  if (migration === "running") return job?.metadata.creationTimestamp;
  if (deployment === undefined || isRolledOut(guild, deployment)) return undefined;
  const progressing = deployment.status?.conditions?.find(({ type }) => type === "Progressing");
  return progressing?.lastUpdateTime ?? deployment.metadata.creationTimestamp;
}

/** Whether the new pods have taken over. While an old one is left it may be the old one that is available, and a new one that fails. */
function isRolledOut(guild: DkpGuild, { status }: DeploymentObject): boolean {
  const wanted = guild.spec.bot.replicas;
  const { replicas = 0, updatedReplicas = 0, availableReplicas = 0 } = status ?? {};
  return updatedReplicas >= wanted && replicas <= updatedReplicas && availableReplicas >= wanted;
}

type ContainerStatus = {
  name?: string;
  restartCount?: number;
  state?: { waiting?: { reason?: string; message?: string } };
  lastState?: { terminated?: { reason?: string; message?: string; exitCode?: number } };
};

type Container = { name: string; image: string };

type PodObject = KubeObject & {
  spec?: { initContainers?: Container[]; containers?: Container[] };
  status?: {
    phase?: string;
    initContainerStatuses?: ContainerStatus[];
    containerStatuses?: ContainerStatus[];
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
  };
};

/** Waiting reasons that pass by themselves. */
const harmless = new Set(["ContainerCreating", "PodInitializing"]);

/** Asks the API server why a guild's pods do not run; pods of this image are looked at first. */
export async function podProblem(
  client: KubeClient,
  guild: DkpGuild,
  image: string,
): Promise<PodProblem | undefined> {
  const { namespace, name } = guild.metadata;
  const labelSelector = selectorText(podSelector(name));
  const { items } = await client.list<PodObject>(pods, { namespace, labelSelector, limit: 50 });
  const living = items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const problems = living.map(problemOfPod).filter((problem) => problem !== undefined);
  return problems.find((problem) => problem.image === image) ?? problems[0];
}

function problemOfPod(pod: PodObject): PodProblem | undefined {
  const { name } = pod.metadata;
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  for (const status of [...initContainerStatuses, ...containerStatuses]) {
    const { name: container, state, lastState, restartCount: restarts } = status;
    const { reason, message = "" } = state?.waiting ?? {};
    if (reason === undefined || harmless.has(reason)) continue;
    const last = lastState?.terminated;
    const ended =
      last === undefined ? "" : `; it last ended with code ${last.exitCode ?? "?"} ${last.message ?? ""}`;
    // What the status calls the image is its digest at times.
    const image = containers.find((each) => each.name === container)?.image;
    return { pod: name, reason, message: `${message}${ended}`.trim(), image, restarts };
  }
  const scheduled = pod.status?.conditions?.find(
    ({ type, status }) => type === "PodScheduled" && status === "False",
  );
  return scheduled === undefined
    ? undefined
    : { pod: name, reason: scheduled.reason ?? "Unschedulable", message: scheduled.message ?? "" };
}
