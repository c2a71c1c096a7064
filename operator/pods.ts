import type { DkpGuild } from "../crds/dkp-guild.ts";
import type { KubeClient } from "../runtime/kube/client.ts";
import type { KubeObject } from "../runtime/kube/object.ts";
import { selectorText } from "./guild/names.ts";
import { pods } from "./guild/resources.ts";

type PodObject = KubeObject & { status?: { phase?: string } };

/** Whether any of the guild's pods with these labels may still run: a Deployment counts those no more that are ending. */
export async function hasLivingPods(
  client: KubeClient,
  { metadata: { namespace } }: DkpGuild,
  labels: Record<string, string>,
): Promise<boolean> {
  const { items } = await client.list<PodObject>(pods, { namespace, labelSelector: selectorText(labels) });
  return items.some(({ status }) => status?.phase !== "Succeeded" && status?.phase !== "Failed");
}
