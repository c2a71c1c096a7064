/** A reference from a child to the object that owns it. */
type OwnerReference = {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
};

/** Metadata as the API server sends it; timestamps are RFC 3339 strings, never Dates. */
type ObjectMeta = {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: unknown[];
};

/** Any Kubernetes object in its raw JSON shape. A caller that knows the kind adds its fields: `KubeObject & {spec: …}`. */
export type KubeObject = {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  [field: string]: unknown;
};

/** A kind with what a URL needs; written down by the caller, so no discovery round trip is made. `group` is "" for core. */
export type Resource = {
  group: string;
  version: string;
  kind: string;
  plural: string;
  namespaced: boolean;
};

/** Where one object lives. `namespace` is absent for cluster-scoped kinds. */
export type ObjectRef = { namespace?: string; name: string };

/** `namespace/name`, or `name` for a cluster-scoped object: the key of caches and queues. */
export function objectKey(ref: ObjectRef): string {
  return ref.namespace === undefined ? ref.name : `${ref.namespace}/${ref.name}`;
}

/** The inverse of `objectKey`. */
export function refOfKey(key: string): ObjectRef {
  const slash = key.indexOf("/");
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** `group/version`, or the bare version for the core group. */
export function apiVersionOf(resource: Resource): string {
  return resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
}

/** The URL path of a collection or, with a name, of one object or its subresource. */
export function resourcePath(
  resource: Resource,
  where: { namespace?: string | undefined; name?: string; subresource?: string | undefined } = {},
): string {
  const root =
    resource.group === "" ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  const scope =
    resource.namespaced && where.namespace !== undefined
      ? `/namespaces/${encodeURIComponent(where.namespace)}`
      : "";
  const name = where.name === undefined ? "" : `/${encodeURIComponent(where.name)}`;
  const subresource = where.subresource === undefined ? "" : `/${where.subresource}`;
  return `${root}${scope}/${resource.plural}${name}${subresource}`;
}

/**
 * Whether `a` is newer than `b`. Resource versions of one resource are comparable decimal numbers (guaranteed since
 * Kubernetes 1.35, true in practice before); anything else counts as newer, so that it is never dropped.
 */
export function isNewer(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined) return true;
  if (a.length !== b.length && /^\d+$/.test(a) && /^\d+$/.test(b)) return a.length > b.length;
  return a > b;
}
