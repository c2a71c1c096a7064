import { Agent } from "undici";
import type { DkpGuild } from "../../../crds/dkp-guild.ts";
import { desired } from "../../../operator/guild/desired.ts";
import type { Child } from "../../../operator/guild/child.ts";
import { guilds } from "../../../operator/guild/resources.ts";
import { status } from "../../../operator/guild/status.ts";
import { objectCache } from "../../../runtime/kube/cache.ts";
import { kubeClient } from "../../../runtime/kube/client.ts";
import { inClusterConnection } from "../../../runtime/kube/config.ts";
import { type KubeObject, type Resource, resourcePath } from "../../../runtime/kube/object.ts";
import { reflect } from "../../../runtime/kube/reflector.ts";
import { logger } from "../../../runtime/log.ts";
import { settings } from "../settings.ts";
import { namespace } from "../api-server.ts";
import { allDone, unobserved } from "./observed.ts";

/**
 * The least that anybody could send: for each guild one server-side apply a child in the operator's order, and one of the status, without
 * looking at anything. It waits for no database and no bot.
 */

const { SERVICE_ACCOUNT_DIR = "", KUBERNETES_SERVICE_HOST = "", KUBERNETES_SERVICE_PORT = "" } = process.env;
const connection = inClusterConnection({
  serviceAccountDir: SERVICE_ACCOUNT_DIR,
  host: KUBERNETES_SERVICE_HOST,
  port: KUBERNETES_SERVICE_PORT,
});
const connections = 32;
const agent = new Agent({ connections, pipelining: 1, allowH2: false, connect: connection.tls });
const headers = { ...(await connection.headers()), "content-type": "application/apply-patch+yaml" };
const observation = unobserved();
const waiting: DkpGuild[] = [];
const wanted = Number(process.env["GUILDS"]);
let written = 0;
let busy = 0;

async function apply(resource: Resource, object: KubeObject, subresource?: string): Promise<KubeObject> {
  const { statusCode, body } = await agent.request({
    origin: connection.server,
    path: `${resourcePath(resource, { ...object.metadata, subresource })}?fieldManager=dkp-operator&force=true`,
    method: "PATCH",
    headers,
    body: JSON.stringify(object),
  });
  const answer = (await body.json()) as KubeObject;
  if (statusCode >= 300)
    throw new Error(`${object.kind} ${object.metadata.name}: ${String(answer["message"])}`);
  return answer;
}

/** What the operator applies after the rest. */
const last = new Set(["RoleBinding", "Job", "Deployment"]);
const late = ({ resource }: Child) => last.has(resource.kind);

async function write(guild: DkpGuild): Promise<void> {
  const build = (cluster?: KubeObject) =>
    desired(guild, settings, observation, allDone(guild, cluster), () => "placeholder");
  let cluster: KubeObject | undefined;
  for (const { resource, object } of build().filter((child) => !late(child))) {
    const live = await apply(resource, object);
    if (resource.kind === "Cluster") cluster = live;
  }
  for (const { resource, object } of build(cluster).filter(late)) await apply(resource, object);
  const { name } = guild.metadata;
  const { apiVersion, kind } = guild;
  const reported = status(guild, observation, allDone(guild, cluster));
  await apply(guilds, { apiVersion, kind, metadata: { name, namespace }, status: reported }, "status");
}

async function work(): Promise<void> {
  busy += 1;
  for (let guild = waiting.shift(); guild !== undefined; guild = waiting.shift()) {
    await write(guild);
    written += 1;
  }
  busy -= 1;
  if (written === wanted) process.send?.({ written });
}

const seen = new Set<string>();
function take(guild: KubeObject): void {
  if (seen.has(guild.metadata.name)) return;
  seen.add(guild.metadata.name);
  waiting.push(guild as DkpGuild & KubeObject);
  if (busy < connections) work().catch(fail);
}

function fail(error: unknown): void {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
}

const reader = kubeClient({ connection, fieldManager: "bench", userAgent: "bare-writer" });
process.once("SIGTERM", () => process.exit(0));
const watch = reflect({
  client: reader,
  resource: guilds,
  namespaces: [namespace],
  cache: objectCache(),
  onChange: ({ object }) => take(object),
  log: logger({ level: "warn", format: "json", name: "writer" }),
});
await watch.synced;
process.send?.({ watching: true });
