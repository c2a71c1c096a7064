import type { DkpRestore } from "../../crds/dkp-restore.ts";
import type { Report } from "../../crds/report.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { incarnationLabel, incarnationOf, servingAnnotation } from "./database.ts";
import type { Observation } from "./observation.ts";

/** On a restored Cluster: the uid of the DkpRestore that it was made for, the Cluster it came from, and the time it went back to. */
const restoreAnnotation = "dkp.dev/restore";
const fromAnnotation = "dkp.dev/restored-from";
const targetAnnotation = "dkp.dev/restore-target";
/** On a restored Cluster that serves: version and hash of the ledger that was given up for it. */
const headAnnotation = "dkp.dev/abandoned-head";
/** On a Cluster that served before: since when it does not. */
export const retiredAnnotation = "dkp.dev/retired";

type Children = Observation["children"];

/** All Clusters that the guild has. */
export function clustersOf(children: Children): KubeObject[] {
  return [...children.values()].filter(({ kind }) => kind === "Cluster");
}

/** The Cluster that was made for a DkpRestore. */
export function clusterFor(restore: DkpRestore, children: Children): KubeObject | undefined {
  return clustersOf(children).find(
    ({ metadata }) => metadata.annotations?.[restoreAnnotation] === restore.metadata.uid,
  );
}

/** Whether the bot was moved to a restored Cluster. */
export function isServing(cluster: KubeObject): boolean {
  return cluster.metadata.annotations?.[servingAnnotation] === "true";
}

/** Clusters that were made for DkpRestores that are gone, and that never served. */
export function abandoned(restores: readonly DkpRestore[], children: Children): KubeObject[] {
  const uids = new Set(restores.map(({ metadata }) => metadata.uid));
  return clustersOf(children).filter((cluster) => {
    const uid = cluster.metadata.annotations?.[restoreAnnotation];
    return uid !== undefined && !uids.has(uid) && !isServing(cluster);
  });
}

/** Clusters that served before the one that serves now and do not say so yet. */
export function unretired(serving: KubeObject, children: Children): KubeObject[] {
  return clustersOf(children).filter(
    (cluster) =>
      incarnationOf(cluster) < incarnationOf(serving) &&
      (incarnationOf(cluster) === 0 || isServing(cluster)) &&
      cluster.metadata.annotations?.[retiredAnnotation] === undefined,
  );
}

/** What makes a restored Cluster the one that serves. */
export function servingMark(ledger: Report["ledger"]): Record<string, string> {
  const isWhole = ledger !== undefined && /^[0-9a-f]{64}$/.test(ledger.hash);
  return {
    [servingAnnotation]: "true",
    ...(isWhole ? { [headAnnotation]: `${ledger.version} ${ledger.hash}` } : {}),
  };
}

/** What a restored Cluster has said about itself since it was made; undefined for one that began empty. */
export function birthOf(
  cluster: KubeObject | undefined,
): { labels: Record<string, string>; annotations: Record<string, string> } | undefined {
  if (cluster === undefined || incarnationOf(cluster) === 0) return undefined;
  const said = cluster.metadata.annotations ?? {};
  const kept = [restoreAnnotation, fromAnnotation, targetAnnotation, headAnnotation, servingAnnotation];
  return {
    labels: { [incarnationLabel]: String(incarnationOf(cluster)) },
    annotations: Object.fromEntries(
      kept.flatMap((key) => (said[key] === undefined ? [] : [[key, said[key]]])),
    ),
  };
}

/** `restore` of the bot's config.yaml: what it is to know of the database that it finds. Stays as long as that database serves. */
export function restoreOf(cluster: KubeObject | undefined) {
  const said = cluster?.metadata.annotations ?? {};
  const { [restoreAnnotation]: id, [fromAnnotation]: from, [targetAnnotation]: target } = said;
  if (id === undefined || from === undefined) return undefined;
  const [version, hash] = said[headAnnotation]?.split(" ") ?? [];
  return {
    id,
    ...(target === undefined ? {} : { target }),
    from,
    ...(version === undefined || hash === undefined ? {} : { head: { version: Number(version), hash } }),
  };
}

/** The annotations of a Cluster that is made for a restore. */
export function birthMark(restore: DkpRestore, from: string): Record<string, string> {
  const { targetTime } = restore.spec;
  return {
    [restoreAnnotation]: restore.metadata.uid,
    [fromAnnotation]: from,
    ...(targetTime === undefined ? {} : { [targetAnnotation]: targetTime }),
  };
}
