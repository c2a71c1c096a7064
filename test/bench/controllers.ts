import * as kinds from "../../operator/guild/resources.ts";
import { kubeClient } from "../../runtime/kube/client.ts";
import { inClusterConnection } from "../../runtime/kube/config.ts";
import type { KubeObject, Resource } from "../../runtime/kube/object.ts";
import { report } from "../operator/players.ts";
import { namespace } from "./api-server.ts";

/**
 * A process that does to the API what CloudNativePG, the controllers of Jobs and Deployments and the bots would do, as soon as there is
 * something to do, and says when all guilds are Ready and all bots have reported.
 */

const env = process.env;
const wanted = Number(env["GUILDS"]);
const client = kubeClient({
  connection: inClusterConnection({
    serviceAccountDir: env["SERVICE_ACCOUNT_DIR"] ?? "",
    host: env["KUBERNETES_SERVICE_HOST"] ?? "",
    port: env["KUBERNETES_SERVICE_PORT"] ?? "",
  }),
  fieldManager: "controllers",
  userAgent: "dkp-bench-controllers",
  connections: 8,
});
const ready = new Set<string>();
const reported = new Set<string>();
const ending = new AbortController();

const now = () => `${new Date().toISOString().slice(0, 19)}Z`;
const holds = { status: "True", reason: "x", message: "" };

/** CloudNativePG: the database runs and the bot's role exists. */
async function startDatabase({ metadata, status }: KubeObject): Promise<void> {
  if (status !== undefined) return;
  const patch = {
    phase: "Cluster in healthy state",
    instances: 3,
    readyInstances: 3,
    currentPrimary: `${metadata.name}-1`,
    conditions: [{ type: "Ready", ...holds, lastTransitionTime: now() }],
    managedRolesStatus: { byStatus: { reconciled: ["dkp_bot"] } },
  };
  await client.mergePatch(kinds.clusters, metadata, { status: patch }, { subresource: "status" });
}

async function endJob({ metadata, status }: KubeObject): Promise<void> {
  if ((status as { succeeded?: number } | undefined)?.succeeded !== undefined) return;
  const at = now();
  const over = { ...holds, lastTransitionTime: at, lastProbeTime: at };
  const conditions = ["SuccessCriteriaMet", "Complete"].map((type) => ({ type, ...over }));
  const patch = { startTime: at, completionTime: at, succeeded: 1, conditions };
  await client.mergePatch(kinds.jobs, metadata, { status: patch }, { subresource: "status" });
}

async function runPods({ metadata, spec, status }: KubeObject): Promise<void> {
  const { generation } = metadata;
  if ((status as { observedGeneration?: number } | undefined)?.observedGeneration === generation) return;
  const { replicas } = spec as { replicas: number };
  const all = { replicas, updatedReplicas: replicas, readyReplicas: replicas, availableReplicas: replicas };
  const patch = { observedGeneration: generation, ...all };
  await client.mergePatch(kinds.deployments, metadata, { status: patch }, { subresource: "status" });
  const guild = metadata.name.replace(/-bot$/, "");
  if (reported.has(guild)) return;
  reported.add(guild);
  const data = { "report.json": JSON.stringify(report) };
  await client.mergePatch(kinds.configMaps, { namespace, name: `${guild}-report` }, { data });
  announce();
}

async function count({ metadata, status }: KubeObject): Promise<void> {
  if ((status as { phase?: string } | undefined)?.phase !== "Ready") return;
  ready.add(metadata.name);
  announce();
}

let announced = false;
function announce(): void {
  if (announced || ready.size < wanted || reported.size < wanted) return;
  announced = true;
  process.send?.({ done: true, atMs: Date.now() });
}

/** Plays a part from the first object of a kind until the end; the bench starts this process before there is any. */
async function play(resource: Resource, part: (object: KubeObject) => Promise<void>): Promise<void> {
  const { resourceVersion } = await client.list(resource, { namespace, limit: 1 });
  const query = { namespace, resourceVersion, onOpen: opened };
  for await (const event of client.watch(resource, query, ending.signal)) {
    if (event.type === "ADDED" || event.type === "MODIFIED") part(event.object).catch(fail);
  }
}

let open = 0;
function opened(): void {
  open += 1;
  if (open === parts.length) process.send?.({ watching: true });
}

function fail(error: unknown): void {
  if (ending.signal.aborted) return;
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
}

process.once("SIGTERM", () => {
  ending.abort();
  void client.close().then(() => process.exit(0));
});
const parts = [
  [kinds.clusters, startDatabase],
  [kinds.jobs, endJob],
  [kinds.deployments, runPods],
  [kinds.guilds, count],
] as const;
for (const [resource, part] of parts) play(resource, part).catch(fail);
