import type { DkpGuildStatus } from "../../crds/status.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { quantity } from "./covers.ts";

type Requests = { cpu?: unknown; memory?: unknown };
type Container = { resources?: { requests?: Requests } };
type PodTemplate = { spec?: { containers?: Container[] } };
type WorkloadSpec = { replicas?: number; template?: PodTemplate };
type ClusterSpec = {
  instances?: number;
  resources?: { requests?: Requests };
  storage?: { size?: unknown };
  walStorage?: { size?: unknown };
  plugins?: { isWALArchiver?: boolean }[];
};
type StoreSpec = { instanceSidecarConfiguration?: Container };
type PoolerSpec = { instances?: number; template?: PodTemplate };

/** Cores and bytes. */
type Sum = { cpu: number; memory: number; storage: number };

const nothing: Sum = { cpu: 0, memory: 0, storage: 0 };

function times(count: number, each: Sum): Sum {
  return { cpu: each.cpu * count, memory: each.memory * count, storage: each.storage * count };
}

function plus(a: Sum, b: Sum): Sum {
  return { cpu: a.cpu + b.cpu, memory: a.memory + b.memory, storage: a.storage + b.storage };
}

function requested({ cpu = 0, memory = 0 }: Requests = {}): Sum {
  return { cpu: quantity(cpu) ?? 0, memory: quantity(memory) ?? 0, storage: 0 };
}

function ofTemplate(template: PodTemplate | undefined): Sum {
  const containers = template?.spec?.containers ?? [];
  return containers.map(({ resources }) => requested(resources?.requests)).reduce(plus, nothing);
}

/** CloudNativePG stops the pods of a Cluster with this annotation; the volumes stay. */
const hibernation = "cnpg.io/hibernation";

/** The plugin that archives runs in a container of its own beside each instance. */
function ofSidecar(spec: ClusterSpec, children: KubeObject[]): Sum {
  const store = children.find(({ kind }) => kind === "ObjectStore")?.["spec"] as StoreSpec | undefined;
  const isWanted = spec.plugins?.some(({ isWALArchiver }) => isWALArchiver === true) === true;
  return isWanted ? requested(store?.instanceSidecarConfiguration?.resources?.requests) : nothing;
}

function ofCluster({ metadata }: KubeObject, spec: ClusterSpec, children: KubeObject[]): Sum {
  const pod = plus(requested(spec.resources?.requests), ofSidecar(spec, children));
  const { cpu, memory } = metadata.annotations?.[hibernation] === "on" ? nothing : pod;
  const storage = (quantity(spec.storage?.size) ?? 0) + (quantity(spec.walStorage?.size) ?? 0);
  return times(spec.instances ?? 0, { cpu, memory, storage });
}

function ofChild(child: KubeObject, children: KubeObject[]): Sum {
  const spec = child["spec"] ?? {};
  if (child.kind === "Deployment") {
    const { replicas = 0, template } = spec as WorkloadSpec;
    return times(replicas, ofTemplate(template));
  }
  if (child.kind === "Pooler") {
    const { instances = 0, template } = spec as PoolerSpec;
    return times(instances, ofTemplate(template));
  }
  return child.kind === "Cluster" ? ofCluster(child, spec, children) : nothing;
}

/** Bytes in the largest unit in which they are a whole number. */
function bytes(count: number): string {
  if (count === 0) return "0";
  const units: [string, number][] = [
    ["Ti", 2 ** 40],
    ["Gi", 2 ** 30],
    ["Mi", 2 ** 20],
    ["Ki", 2 ** 10],
  ];
  const [unit, size] = units.find(([, size]) => count % size === 0) ?? ["", 1];
  return `${Math.round(count / size)}${unit}`;
}

function cores(count: number): string {
  const thousandths = Math.round(count * 1_000);
  return thousandths % 1_000 === 0 ? String(thousandths / 1_000) : `${thousandths}m`;
}

/**
 * What a guild takes of the cluster: what the pods of its bot, its database and its pooler request, as many as are wanted, and the volumes.
 * A migration that runs for seconds and pods beside them during a rollout are not counted, so that the figure stands still.
 */
export function footprint(children: Iterable<KubeObject>): NonNullable<DkpGuildStatus["footprint"]> {
  const all = [...children];
  const sum = all.map((child) => ofChild(child, all)).reduce(plus, nothing);
  return { cpu: cores(sum.cpu), memory: bytes(sum.memory), storage: bytes(sum.storage) };
}
