import type { KubeObject } from "../../runtime/kube/object.ts";
import { withoutAdditions } from "./additions.ts";
import { appliedAnnotation } from "./child.ts";
import { covers } from "./covers.ts";

/** Where an object bears the hash of the wishes that it was found to fulfil: nothing that comes from the API can be taken for it. */
const rightFor = Symbol("rightFor");

type Compared = KubeObject & { [rightFor]?: string | undefined };
type Fields = Record<string, unknown>;
type Workload = {
  replicas?: unknown;
  template?: { spec?: { containers?: { resources?: unknown }[] } };
};

/** What is read of a Deployment that is right: how many pods, and what each of them requests. */
function gist(spec: Workload): Workload {
  const containers = spec.template?.spec?.containers ?? [];
  return {
    replicas: spec.replicas,
    template: { spec: { containers: containers.map(({ resources }) => ({ resources })) } },
  };
}

/** Kinds of which nobody reads what they hold once it is right, but for these fields. */
const condensed: Record<string, (live: KubeObject) => Fields> = {
  ServiceAccount: () => ({}),
  ConfigMap: () => ({}),
  Service: () => ({}),
  Role: () => ({}),
  RoleBinding: () => ({}),
  PodDisruptionBudget: () => ({}),
  NetworkPolicy: () => ({}),
  Deployment: ({ spec, status }) => ({ spec: gist(spec ?? {}), status }),
};

function wishOf({ metadata }: KubeObject): string | undefined {
  return metadata.annotations?.[appliedAnnotation];
}

/** Whether this version of the object was found to be all that `desired` says: then it need not be compared again. */
export function isRight(live: KubeObject, desired: KubeObject): boolean {
  const wish = wishOf(desired);
  return wish !== undefined && (live as Compared)[rightFor] === wish;
}

/**
 * A live object compared with what is wanted. One that is right is marked so, and of most kinds only what somebody reads is left: of ten
 * thousand guilds a tenth of the memory. What anybody changes comes from the API server as a new version, whole and without the mark.
 */
export function compared(live: KubeObject, desired: KubeObject): KubeObject {
  const wish = wishOf(desired);
  if (wish === undefined || isRight(live, desired) || live.metadata.deletionTimestamp !== undefined)
    return live;
  if (!covers(live, desired) || withoutAdditions(live, desired) !== undefined) return live;
  const fields = condensed[live.kind];
  if (fields === undefined) return marked({ ...live }, wish);
  const { uid, resourceVersion, generation, creationTimestamp } = live.metadata;
  const { apiVersion, kind } = desired;
  // Names, labels and owners are those of the wish, which are shared with the guild itself.
  const metadata = { ...desired.metadata, uid, resourceVersion, generation, creationTimestamp };
  return marked({ apiVersion, kind, metadata, ...fields(live) } as KubeObject, wish);
}

/** The mark is no part of the object: whoever copies or compares it does not see it. */
function marked(object: KubeObject, wish: string): KubeObject {
  return Object.defineProperty(object, rightFor, { value: wish });
}
