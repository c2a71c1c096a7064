import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { timestamp } from "./time.ts";

/** On a Cluster whose guild is gone: when it may be removed, RFC 3339. */
export const deleteAfterAnnotation = "dkp.dev/delete-after";
/** On such a Cluster: the deletionPolicy that its guild had. */
export const policyAnnotation = "dkp.dev/deletion-policy";

const hourMs = 3_600_000;

/** Milliseconds of "12h" or "7d". */
function durationMs(text: string): number {
  return Number.parseInt(text, 10) * (text.endsWith("d") ? 24 : 1) * hourMs;
}

/**
 * When a deleted guild's Clusters are removed. CloudNativePG deletes the volumes together with a Cluster, so both stay for the longer of the
 * two times; stopped, a Cluster costs nothing but its volumes.
 */
export function removalDate({ metadata, spec }: DkpGuild): string {
  const { resources = "0h", volumes = "0h" } = spec.retention ?? {};
  const startMs = Date.parse(metadata.deletionTimestamp ?? "") || 0;
  const at = startMs + Math.max(durationMs(resources), durationMs(volumes));
  return timestamp(at);
}
