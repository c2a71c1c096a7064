import { setTimeout as sleep } from "node:timers/promises";
import { reportKey, type Report } from "../../crds/report.ts";
import type { KubeClient } from "../../runtime/kube/client.ts";
import type { Resource } from "../../runtime/kube/object.ts";
import type { Logger } from "../../runtime/log.ts";

const configMaps: Resource = {
  group: "",
  version: "v1",
  kind: "ConfigMap",
  plural: "configmaps",
  namespaced: true,
};

/**
 * Keeps the report ConfigMap equal to what `facts` says for as long as this process leads. Facts that did not change
 * are not written again, and writes keep `spacingMs` between them however fast the facts change. Ends with `signal`.
 */
export async function keepReport(options: {
  client: KubeClient;
  namespace: string;
  name: string;
  facts(): Report;
  /** Resolves when the facts may have changed. */
  changed(signal: AbortSignal): Promise<void>;
  signal: AbortSignal;
  log: Logger;
  spacingMs?: number;
}): Promise<void> {
  const { signal } = options;
  let written: string | undefined;
  while (!signal.aborted) {
    const text = JSON.stringify(options.facts());
    if (text !== written && (await wrote(text, options))) {
      written = text;
    }
    await sleep(options.spacingMs ?? 1000, undefined, { signal }).catch(() => undefined);
    if (text === written && text === JSON.stringify(options.facts())) {
      await options.changed(signal).catch(() => undefined);
    }
  }
}

async function wrote(
  text: string,
  { client, namespace, name, signal, log }: Parameters<typeof keepReport>[0],
): Promise<boolean> {
  try {
    const data = { [reportKey]: text };
    await client.mergePatch(configMaps, { namespace, name }, { data }, { signal });
    return true;
  } catch (error) {
    if (!signal.aborted) {
      log.warn({ err: error, configMap: name }, "the report could not be written, trying again");
    }
    return false;
  }
}
