import { childSelector } from "../../../operator/guild/names.ts";
import * as kinds from "../../../operator/guild/resources.ts";
import { eventResource } from "../../../runtime/kube/event.ts";
import { isKubeError } from "../../../runtime/kube/error.ts";
import { resourcePath } from "../../../runtime/kube/object.ts";
import { childKinds } from "../../operator/child-kinds.ts";
import { type ApiServer, eachOf, namespace } from "../api-server.ts";

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
    ...childKinds.map((resource) => ({ resource, labelSelector: childSelector })),
    { resource: eventResource, labelSelector: undefined },
  ];
  for (const { resource, labelSelector } of all) {
    const query = { propagationPolicy: "Background", ...(labelSelector && { labelSelector }) };
    const path = `${resourcePath(resource, { namespace })}?${new URLSearchParams(query).toString()}`;
    const left = async () =>
      (await admin.list(resource, { namespace, labelSelector, limit: 1 }).catch(notInstalled)).items.length;
    // A request that takes too long is given up with what it has deleted so far.
    while ((await left()) > 0) await plane.call("DELETE", path).catch(() => undefined);
  }
}

/** What there is of a kind that the server does not know. */
function notInstalled(error: unknown): { items: [] } {
  if (isKubeError(error, 404)) return { items: [] };
  throw error;
}

/** Flags of kube-apiserver that let it delete collections in a bearable time. */
export const cleaningFlags = ["--delete-collection-workers=8"];
