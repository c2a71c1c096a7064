import { readFileSync } from "node:fs";
import {
  CustomObjectsApi,
  KubeConfig,
  type KubernetesListObject,
  type KubernetesObject,
  KubernetesObjectApi,
  PatchStrategy,
  makeInformer,
  setHeaderOptions,
} from "@kubernetes/client-node";
import { fill } from "../placeholders.ts";
import type { Template, Templates } from "../templates.ts";

/** The children of DkpGuilds kept with client-node's own informers and object API, every child applied at every look. */

type Live = KubernetesObject & {
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
  data?: Record<string, string>;
};

type Guild = Live & {
  metadata: { name: string; uid: string; generation: number };
  spec: {
    guildId: string;
    rules: { auctions: { minimumBid: number } };
    discord: { tokenSecretRef: { name: string } };
  };
};

const { NAMESPACE: namespace = "", TEMPLATES = "", WORKERS = "16" } = process.env;
const { children, status }: Templates = JSON.parse(readFileSync(TEMPLATES, "utf8"));
const finalizer = "dkp.dev/database";
const manager = "dkp-operator";
const config = new KubeConfig();
config.loadFromDefault();
const objects = KubernetesObjectApi.makeApiClient(config);
const customs = config.makeApiClient(CustomObjectsApi);

const waiting = new Set<string>();
const busy = new Set<string>();

function wake(name: string | undefined): void {
  if (name === undefined) return;
  waiting.add(name);
  if (busy.size < Number(WORKERS)) work().catch(fail);
}

async function work(): Promise<void> {
  for (;;) {
    const name = next();
    if (name === undefined) return;
    waiting.delete(name);
    busy.add(name);
    await reconcile(name).catch((error: unknown) => {
      process.stderr.write(`${name}: ${String(error)}\n`);
      setTimeout(wake, 1_000, name);
    });
    busy.delete(name);
  }
}

function next(): string | undefined {
  for (const name of waiting) if (!busy.has(name)) return name;
  return undefined;
}

function fail(error: unknown): void {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
}

const stopping: (() => Promise<void>)[] = [];

/** Watches a kind; answers what it holds of it. */
async function watch(
  of: { apiVersion: string; kind: string; plural: string; labelSelector?: string },
  guildOf: (object: Live) => string | undefined,
): Promise<(name: string) => Live | undefined> {
  const { apiVersion, kind, plural, labelSelector } = of;
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const list = (): Promise<KubernetesListObject<Live>> =>
    objects.list<Live>(
      apiVersion,
      kind,
      namespace,
      undefined,
      undefined,
      undefined,
      undefined,
      labelSelector,
    );
  const informer = makeInformer<Live>(
    config,
    `${root}/namespaces/${namespace}/${plural}`,
    list,
    labelSelector,
  );
  for (const event of ["add", "update", "delete"] as const)
    informer.on(event as "add", (object) => wake(guildOf(object)));
  let stopped = false;
  informer.on("error", () => {
    if (!stopped) setTimeout(() => void informer.start().catch(fail), 1_000);
  });
  await informer.start();
  stopping.push(() => {
    stopped = true;
    return informer.stop();
  });
  return (name) => informer.get(name, namespace);
}

const labelled = ({ metadata }: Live) => metadata?.labels?.["dkp.dev/guild"];
const labelSelector = "app.kubernetes.io/managed-by=dkp-operator,dkp.dev/guild";
const kinds = new Map(children.map((child) => [child.kind, child]));
const caches = new Map<string, (name: string) => Live | undefined>();
for (const [kind, { apiVersion, plural }] of kinds)
  caches.set(kind, await watch({ apiVersion, kind, plural, labelSelector }, labelled));
const guilds = await watch(
  { apiVersion: "dkp.dev/v1alpha1", kind: "DkpGuild", plural: "dkpguilds" },
  ({ metadata }) => metadata?.name,
);
const cached = (kind: string, name: string) => caches.get(kind)?.(name);

async function reconcile(name: string): Promise<void> {
  const guild = guilds(name) as Guild | undefined;
  if (guild === undefined) return;
  const { finalizers = [], deletionTimestamp } = guild.metadata;
  const others = finalizers.filter((entry) => entry !== finalizer);
  if (deletionTimestamp !== undefined) {
    if (others.length < finalizers.length) await setFinalizers(guild, others);
    return;
  }
  if (others.length === finalizers.length) await setFinalizers(guild, [...finalizers, finalizer]);
  const filled = filler(guild, cached("Cluster", `${name}-db`)?.metadata?.uid);
  let job: Live | undefined;
  let deployment: Live | undefined;
  for (const child of children) {
    if (child.gate === "database" && !isDatabaseReady(cached("Cluster", `${name}-db`))) return;
    if (child.gate === "migration" && !(isComplete(job) && (await hasToken(guild)))) return;
    const live = await keep(child, filled);
    if (child.kind === "Job") job = live;
    if (child.kind === "Deployment") deployment = live;
  }
  const report = cached("ConfigMap", `${name}-report`)?.data?.["report.json"];
  if (isAvailable(deployment) && report !== undefined) await writeStatus(guild, filled);
}

async function setFinalizers({ apiVersion, kind, metadata: { name } }: Guild, finalizers: string[]) {
  const patch = { apiVersion, kind, metadata: { name, namespace, finalizers } };
  await objects.patch(patch as Live, undefined, undefined, manager, undefined, PatchStrategy.MergePatch);
}

async function keep(child: Template, filled: (text: string) => string): Promise<Live | undefined> {
  const live = cached(child.kind, filled(child.name));
  if (child.once && live !== undefined) return live;
  // Its models have another name for this one, and what is not in its models is not sent.
  const object: Live = JSON.parse(filled(child.text).replaceAll('"from":', '"_from":'));
  if (!child.once)
    return objects.patch(object, undefined, undefined, manager, true, PatchStrategy.ServerSideApply);
  return objects.create(object, undefined, undefined, manager).catch((error: { code?: number }) => {
    if (error.code !== 409) throw error;
    return undefined;
  });
}

async function writeStatus({ metadata, ...guild }: Guild, filled: (text: string) => string): Promise<void> {
  const { phase, observedGeneration } = guild.status ?? {};
  if (phase === "Ready" && observedGeneration === metadata.generation) return;
  const { name } = metadata;
  const body: unknown = JSON.parse(filled(status));
  const of = { group: "dkp.dev", version: "v1alpha1", plural: "dkpguilds", namespace, name };
  await customs.patchNamespacedCustomObjectStatus(
    { ...of, body, fieldManager: manager, force: true },
    setHeaderOptions("Content-Type", PatchStrategy.ServerSideApply),
  );
}

async function hasToken({ spec }: Guild): Promise<boolean> {
  const { name } = spec.discord.tokenSecretRef;
  const token = await objects.read<Live>({ apiVersion: "v1", kind: "Secret", metadata: { name, namespace } });
  return token.data?.["token"] !== undefined;
}

function filler({ metadata, spec, ...guild }: Guild, cluster = ""): (text: string) => string {
  const [condition] = (guild.status?.["conditions"] ?? []) as { lastTransitionTime: string }[];
  const facts = {
    name: metadata.name,
    namespace,
    uid: metadata.uid,
    guildId: spec.guildId,
    minimumBid: String(spec.rules.auctions.minimumBid),
    generation: String(metadata.generation),
    since: condition?.lastTransitionTime ?? `${new Date().toISOString().slice(0, 19)}Z`,
    cluster: cluster.slice(0, 8),
  };
  return (text) => fill(text, facts);
}

const holds = (live: Live | undefined, type: string) =>
  ((live?.status?.["conditions"] ?? []) as { type: string; status: string }[]).some(
    (condition) => condition.type === type && condition.status === "True",
  );

function isDatabaseReady(cluster: Live | undefined): boolean {
  const roles = cluster?.status?.["managedRolesStatus"] as
    | { byStatus?: { reconciled?: string[] } }
    | undefined;
  return holds(cluster, "Ready") && roles?.byStatus?.reconciled?.includes("dkp_bot") === true;
}

function isComplete(job: Live | undefined): boolean {
  return holds(job, "Complete");
}

function isAvailable(deployment: Live | undefined): boolean {
  const { observedGeneration, updatedReplicas, availableReplicas } = deployment?.status ?? {};
  const { replicas } = deployment?.spec ?? {};
  const settled = observedGeneration !== undefined && observedGeneration === deployment?.metadata?.generation;
  return settled && updatedReplicas === replicas && availableReplicas === replicas;
}

process.once("SIGTERM", () => void Promise.all(stopping.map((stop) => stop())).then(() => process.exit(0)));
process.stdout.write(`{"ready":true}\n`);
