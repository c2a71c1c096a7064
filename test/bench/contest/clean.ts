import { childSelector } from "../../../operator/guild/names.ts";
import * as kinds from "../../../operator/guild/resources.ts";
import { eventResource } from "../../../runtime/kube/event.ts";
import { type Resource, resourcePath } from "../../../runtime/kube/object.ts";
import { type ApiServer, eachOf, namespace } from "../api-server.ts";

const children: Resource[] = [
  kinds.deployments,
  kinds.jobs,
  kinds.clusters,
  kinds.serviceAccounts,
  kinds.configMaps,
  kinds.secrets,
  kinds.services,
  kinds.roles,
  kinds.roleBindings,
  kinds.leases,
  kinds.podDisruptionBudgets,
  kinds.networkPolicies,
];

/** Takes away all guilds and all that was made for them, but for the tokens, so that the next one pays for nobody else's objects. */
export async function clean({ admin, plane }: ApiServer): Promise<void> {
  const { items } = await admin.list(kinds.guilds, { namespace });
  const held = items.filter(({ metadata }) => (metadata.finalizers ?? []).length > 0);
  await eachOf(held.length, async (index) => {
    const name = held[index]?.metadata.name ?? "";
    await admin.mergePatch(kinds.guilds, { namespace, name }, { metadata: { finalizers: null } });
  });
  const all = [
    { resource: kinds.guilds, labelSelector: undefined },
    ...children.map((resource) => ({ resource, labelSelector: childSelector })),
    { resource: eventResource, labelSelector: undefined },
  ];
  for (const { resource, labelSelector } of all) {
    const query = { propagationPolicy: "Background", ...(labelSelector && { labelSelector }) };
    const path = `${resourcePath(resource, { namespace })}?${new URLSearchParams(query).toString()}`;
    const left = async () =>
      (await admin.list(resource, { namespace, labelSelector, limit: 1 })).items.length;
    // A request that takes too long is given up with what it has deleted so far.
    while ((await left()) > 0) await plane.call("DELETE", path).catch(() => undefined);
  }
}

/** Flags of kube-apiserver that let it delete collections in a bearable time. */
export const cleaningFlags = ["--delete-collection-workers=8"];
