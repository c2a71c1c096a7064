import * as kinds from "../../operator/guild/resources.ts";
import { objectCache } from "../../runtime/kube/cache.ts";
import { kubeClient } from "../../runtime/kube/client.ts";
import { inClusterConnection } from "../../runtime/kube/config.ts";
import type { KubeObject, Resource } from "../../runtime/kube/object.ts";
import { type Reflector, reflect } from "../../runtime/kube/reflector.ts";
import { logger } from "../../runtime/log.ts";
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
const log = logger({ level: "warn", format: "json", name: "controllers" });

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

function fail(error: unknown): void {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
}

/** Plays a part for every object of a kind, whatever becomes of watches on the way. */
function play(resource: Resource, part: (object: KubeObject) => Promise<void>): Reflector {
  return reflect({
    client,
    resource,
    namespaces: [namespace],
    cache: objectCache(),
    onChange: (change) => {
      if (change.type !== "deleted") part(change.object).catch(fail);
    },
    log,
  });
}

process.once("SIGTERM", () => process.exit(0));
const playing = [
  play(kinds.clusters, startDatabase),
  play(kinds.jobs, endJob),
  play(kinds.deployments, runPods),
  play(kinds.guilds, count),
];
await Promise.all(playing.map(({ synced }) => synced));
process.send?.({ watching: true });
