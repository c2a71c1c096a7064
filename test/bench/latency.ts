import * as kinds from "../../operator/guild/resources.ts";
import type { KubeClient } from "../../runtime/kube/client.ts";
import type { KubeObject, Resource } from "../../runtime/kube/object.ts";
import { guildName, namespace } from "./api-server.ts";

type Latencies = { changeMs: number[]; revertMs: number[] };
type Wait = (name: string, wanted: (object: KubeObject) => boolean) => Promise<number>;

/**
 * One change after another to guilds spread over all of them, each timed from before the request is sent until a watch shows the child:
 * a rule of a DkpGuild until its ConfigMap holds it, and a Deployment scaled by hand until it is back.
 */
export async function latencies(admin: KubeClient, guilds: number, times: number): Promise<Latencies> {
  const ending = new AbortController();
  const configMap = await watched(admin, kinds.configMaps, ending.signal);
  const deployment = await watched(admin, kinds.deployments, ending.signal);
  const result: Latencies = { changeMs: [], revertMs: [] };
  for (let index = 0; index < times; index += 1) {
    const name = guildName(Math.floor((index * guilds) / times));
    const minimumBid = 100 + index;
    const changed = configMap(
      `${name}-config`,
      ({ data }) =>
        (data as Record<string, string>)["config.yaml"]?.includes(`minimumBid: ${minimumBid}`) === true,
    );
    const sentMs = performance.now();
    await admin.mergePatch(
      kinds.guilds,
      { namespace, name },
      { spec: { rules: { auctions: { minimumBid } } } },
    );
    result.changeMs.push((await changed) - sentMs);
    result.revertMs.push(await revert(admin, deployment, `${name}-bot`));
  }
  ending.abort();
  return result;
}

const replicas = ({ spec }: KubeObject) => (spec as { replicas: number }).replicas;

async function revert(admin: KubeClient, deployment: Wait, name: string): Promise<number> {
  let disturbed = false;
  const reverted = deployment(name, (object) => {
    disturbed ||= replicas(object) === 7;
    return disturbed && replicas(object) === 2;
  });
  const sentMs = performance.now();
  await admin.mergePatch(kinds.deployments, { namespace, name }, { spec: { replicas: 7 } });
  return (await reverted) - sentMs;
}

/** Gives a function that waits for one object to look as wanted, and answers when that was seen. */
async function watched(admin: KubeClient, resource: Resource, signal: AbortSignal): Promise<Wait> {
  const waiting = new Map<string, (object: KubeObject) => void>();
  const { resourceVersion } = await admin.list(resource, { namespace, limit: 1 });
  const opened = Promise.withResolvers<void>();
  const follow = async () => {
    const query = { namespace, resourceVersion, onOpen: opened.resolve };
    for await (const event of admin.watch(resource, query, signal))
      if (event.type === "MODIFIED") waiting.get(event.object.metadata.name)?.(event.object);
  };
  follow().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  await opened.promise;
  return (name, wanted) =>
    new Promise((resolve) => {
      waiting.set(name, (object) => {
        if (wanted(object)) resolve(performance.now());
      });
    });
}
