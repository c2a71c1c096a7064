import * as kinds from "../../operator/guild/resources.ts";
import { objectCache } from "../../runtime/kube/cache.ts";
import type { KubeClient } from "../../runtime/kube/client.ts";
import type { KubeObject, Resource } from "../../runtime/kube/object.ts";
import { reflect } from "../../runtime/kube/reflector.ts";
import { logger } from "../../runtime/log.ts";
import { guildName, namespace } from "./api-server.ts";

type Latencies = { changeMs: number[]; revertMs: number[] };
type Wait = (name: string, wanted: (object: KubeObject) => boolean) => Promise<number>;

/**
 * One change after another to guilds spread over all of them, each timed from before the request is sent until a watch shows the child:
 * a rule of a DkpGuild until its ConfigMap holds it, and a Deployment scaled by hand until it is back.
 */
export async function latencies(admin: KubeClient, guilds: number, times: number): Promise<Latencies> {
  const configMaps = await watched(admin, kinds.configMaps);
  const deployments = await watched(admin, kinds.deployments);
  const result: Latencies = { changeMs: [], revertMs: [] };
  for (let index = 0; index < times; index += 1) {
    const name = guildName(Math.floor((index * guilds) / times));
    const minimumBid = 100 + index;
    const changed = configMaps.wait(
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
    result.revertMs.push(await revert(admin, deployments.wait, `${name}-bot`));
  }
  await Promise.all([configMaps.stop(), deployments.stop()]);
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

type Watched = { wait: Wait; stop(): Promise<void> };

/** Waits for one object to look as wanted, and answers when that was seen. */
async function watched(admin: KubeClient, resource: Resource): Promise<Watched> {
  const waiting = new Map<string, (object: KubeObject) => void>();
  const reflector = reflect({
    client: admin,
    resource,
    namespaces: [namespace],
    cache: objectCache(),
    onChange: ({ object }) => waiting.get(object.metadata.name)?.(object),
    log: logger({ level: "warn", format: "json", name: "bench" }),
  });
  await reflector.synced;
  const wait: Wait = (name, wanted) =>
    new Promise((resolve) => {
      waiting.set(name, (object) => {
        if (wanted(object)) resolve(performance.now());
      });
    });
  return { wait, stop: () => reflector.stop() };
}
