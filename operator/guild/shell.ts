import type { KubeObject } from "../../runtime/kube/object.ts";
import { appliedAnnotation } from "./child.ts";
import { imageAnnotation } from "./deployment.ts";
import { guildIdLabel, guildLabel, managedByLabel } from "./names.ts";

type Fields = Record<string, unknown>;
type Workload = {
  replicas?: unknown;
  template?: { spec?: { containers?: { resources?: unknown }[] } };
};

/** What is read of a Deployment between two comparisons: how many pods, and what each of them requests. */
function gist(spec: Workload): Workload {
  const containers = spec.template?.spec?.containers ?? [];
  return {
    replicas: spec.replicas,
    template: { spec: { containers: containers.map(({ resources }) => ({ resources })) } },
  };
}

/** Kinds of which nothing but these fields is read unless they are compared with what is wanted. */
const read: Record<string, (live: KubeObject) => Fields> = {
  ServiceAccount: () => ({}),
  ConfigMap: () => ({}),
  Service: () => ({}),
  Role: () => ({}),
  RoleBinding: () => ({}),
  PodDisruptionBudget: () => ({}),
  NetworkPolicy: () => ({}),
  Deployment: ({ spec, status }) => ({ spec: gist(spec ?? {}), status }),
};

/** Where a shell bears the text of what it came from; "" where that was found right and is needed no more. */
const text = Symbol("text");
type Shell = KubeObject & { [text]?: string };

/** Control characters, which no JSON text holds, stand for what differs from guild to guild. */
const marks = ["\u0001", "\u0002", "\u0003", "\u0004", "\u0005"] as const;

/** What the marks stand for: the same in a live object and in its shell. */
function particulars({ metadata }: KubeObject): (string | undefined)[] {
  const { namespace, labels = {}, annotations = {}, ownerReferences = [] } = metadata;
  const wish = annotations[appliedAnnotation];
  return [ownerReferences[0]?.uid, wish, labels[guildIdLabel], labels[guildLabel], namespace];
}

/**
 * A live child without what nobody reads before it is compared; that is kept as text, and since the texts of most guilds differ in names
 * and ids alone, they share one. Ten thousand guilds take a third of the memory so. What has no such reader stays as it is.
 */
export function shelled(live: KubeObject): KubeObject {
  const fields = read[live.kind];
  if (fields === undefined || wordsOf(live) !== undefined) return live;
  if (live.metadata.annotations?.[appliedAnnotation] === undefined) return live;
  const { uid: _uid, resourceVersion: _version, ...metadata } = live.metadata;
  const { generation: _generation, creationTimestamp: _created, ...lasting } = metadata;
  const { status: _status, ...rest } = live;
  const whole = JSON.stringify({ ...rest, metadata: lasting });
  const marked = particulars(live).reduce<string>(
    (words, value, index) =>
      value === undefined || value === "" ? words : words.replaceAll(value, marks[index] ?? ""),
    whole,
  );
  return bearing(hull(live, fields(live)), shared(marked));
}

/** The shell of a live child that was found right: what it was compared by is not kept. */
export function emptied(live: KubeObject): KubeObject | undefined {
  const fields = read[live.kind];
  return fields === undefined ? undefined : bearing(hull(live, fields(live)), "");
}

/** What a shell came from, but for a status that is none of ours; anything else as it is. */
export function unshelled(live: KubeObject): KubeObject {
  const words = wordsOf(live);
  if (words === undefined || words === "") return live;
  const values = particulars(live);
  const written = marks.reduce<string>(
    (rest, mark, index) => rest.replaceAll(mark, () => values[index] ?? ""),
    words,
  );
  const whole = JSON.parse(written) as KubeObject;
  const { uid, resourceVersion, generation, creationTimestamp } = live.metadata;
  const metadata = { ...whole.metadata, uid, resourceVersion, generation, creationTimestamp };
  return { ...whole, metadata, ...("status" in live ? { status: live["status"] } : {}) } as KubeObject;
}

/** The text that a shell bears; undefined for what is no shell. */
export function wordsOf(live: KubeObject): string | undefined {
  return (live as Shell)[text];
}

/** The text is no part of the object: whoever copies it or goes through its fields does not see it. */
function bearing(shell: KubeObject, words: string): KubeObject {
  return Object.defineProperty(shell, text, { value: words });
}

function hull({ apiVersion, kind, metadata }: KubeObject, fields: Fields): KubeObject {
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp, deletionTimestamp } =
    metadata;
  const { annotations = {} } = metadata;
  const kept = [appliedAnnotation, imageAnnotation].filter((key) => annotations[key] !== undefined);
  const { labels, ownerReferences } = family(metadata);
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      generation,
      creationTimestamp,
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
      labels,
      ownerReferences,
      annotations: Object.fromEntries(kept.map((key) => [key, annotations[key]])),
    },
    ...fields,
  } as KubeObject;
}

type Family = Required<Pick<KubeObject["metadata"], "labels" | "ownerReferences">>;

/** Of so many guilds and texts it is remembered that they share; beyond that some are held twice. */
const limit = 20_000;
const families = new Map<string, Family>();
const texts = new Map<string, string>();

/** To whom a child belongs, as one object for all of a guild's. */
function family({ labels = {}, ownerReferences = [] }: KubeObject["metadata"]): Family {
  const identity = [managedByLabel, guildLabel, guildIdLabel].map((key) => [key, labels[key]] as const);
  const owners = ownerReferences.map(({ uid }) => uid);
  const key = [...identity.map(([, value]) => value), ...owners].join(" ");
  const known = families.get(key);
  if (known !== undefined) return known;
  const present = identity.filter(([, value]) => value !== undefined) as [string, string][];
  return remembered(families, key, { labels: Object.fromEntries(present), ownerReferences });
}

function shared(words: string): string {
  return texts.get(words) ?? remembered(texts, words, words);
}

function remembered<V>(memory: Map<string, V>, key: string, value: V): V {
  if (memory.size >= limit) memory.clear();
  memory.set(key, value);
  return value;
}
