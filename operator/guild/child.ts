import { hash } from "node:crypto";
import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { KubeObject, Resource } from "../../runtime/kube/object.ts";
import { guildIdLabel, guildLabel, identityLabels, managedByLabel, operatorName } from "./names.ts";

/**
 * How a child is kept. "kept": every field we set is put back. "once": created when missing and never written again, because
 * somebody else fills it (a Lease's holder, the bot's report, a generated password) or because it cannot change (a Job).
 */
type Upkeep = "kept" | "once";

export type Child = { resource: Resource; upkeep: Upkeep; object: KubeObject };

export const appliedAnnotation = "dkp.dev/applied";

/** A short hash of any JSON value whose keys come in a fixed order. */
export function shortHash(value: unknown): string {
  return hash("sha256", JSON.stringify(value), "hex").slice(0, 16);
}

type Facts = {
  name: string;
  /** False for what outlives the guild: the garbage collector leaves it alone. */
  owned: boolean;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  upkeep?: Upkeep;
};

/**
 * A child with its labels, its owner and the hash of what we say about it. The hash makes a field that we no longer set show as a
 * difference; comparing fields alone would not notice it.
 */
export function child(
  guild: DkpGuild,
  resource: Resource,
  facts: Facts,
  fields: Record<string, unknown>,
): Child {
  const { metadata } = guild;
  const described = {
    apiVersion: resource.group === "" ? resource.version : `${resource.group}/${resource.version}`,
    kind: resource.kind,
    metadata: {
      name: facts.name,
      namespace: metadata.namespace,
      labels: { ...identityLabels(guild), ...facts.labels },
      ...(facts.owned ? { ownerReferences: [ownerReference(guild)] } : {}),
      ...(facts.annotations === undefined ? {} : { annotations: facts.annotations }),
    },
    ...fields,
  };
  const upkeep = facts.upkeep ?? "kept";
  if (upkeep === "once") return { resource, upkeep, object: described };
  const annotations = { ...facts.annotations, [appliedAnnotation]: shortHash(described) };
  return { resource, upkeep, object: { ...described, metadata: { ...described.metadata, annotations } } };
}

function ownerReference(guild: DkpGuild) {
  return {
    apiVersion: guild.apiVersion,
    kind: guild.kind,
    name: guild.metadata.name,
    uid: guild.metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** What tells a guild from others, also when it is gone. */
export type Identity = {
  metadata: Pick<DkpGuild["metadata"], "name" | "namespace" | "uid">;
  spec: Pick<DkpGuild["spec"], "guildId">;
};

/**
 * Whether a live object is this guild's: owned by it, or made by the operator for the same name and the same Discord guild. A database that
 * was kept is taken up again by the latter.
 */
export function belongsTo(guild: Identity, live: KubeObject): boolean {
  if (live.metadata.ownerReferences?.some(({ uid }) => uid === guild.metadata.uid) === true) return true;
  const labels = live.metadata.labels ?? {};
  return (
    labels[managedByLabel] === operatorName &&
    labels[guildLabel] === guild.metadata.name &&
    labels[guildIdLabel] === guild.spec.guildId
  );
}

/** `Kind/name`: how a child is known within its guild. */
export function childKey(of: { kind: string; metadata: { name: string } }): string {
  return `${of.kind}/${of.metadata.name}`;
}
