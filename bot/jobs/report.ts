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

type ReportOptions = {
  client: KubeClient;
  namespace: string;
  name: string;
  facts(): Report;
  /** Resolves when the facts may have changed. */
  changed(signal: AbortSignal): Promise<void>;
  signal: AbortSignal;
  log: Logger;
  spacingMs?: number;
  /** How often the report is read although nothing changed; ten thousand bots read theirs. */
  lookAgainMs?: number;
};

const lookAgainMs = 300_000;

/**
 * Keeps the report ConfigMap equal to what `facts` says for as long as this process leads. Facts that did not change
 * are not written again, and writes keep `spacingMs` between them however fast the facts change. Ends with `signal`.
 */
export async function keepReport(options: ReportOptions): Promise<void> {
  const { signal } = options;
  let written: string | undefined;
  while (!signal.aborted) {
    const text = JSON.stringify(options.facts());
    if (text !== written && (await wrote(text, options))) {
      written = text;
    }
    await sleep(options.spacingMs ?? 1000, undefined, { signal }).catch(() => undefined);
    // What changed during a write or the pause was announced to nobody: look at the facts again before waiting.
    if (text === written && text === JSON.stringify(options.facts())) {
      const looking = AbortSignal.timeout(options.lookAgainMs ?? lookAgainMs);
      await options.changed(AbortSignal.any([signal, looking]));
      written = looking.aborted ? await present(options) : written;
    }
  }
}

/** What the report says now: somebody may have emptied it, or the operator made it anew. */
async function present({ client, namespace, name, log, signal }: ReportOptions): Promise<string | undefined> {
  try {
    const found = await client.get(configMaps, { namespace, name }, { signal });
    return (found?.["data"] as Record<string, string> | undefined)?.[reportKey];
  } catch (error) {
    log.debug({ err: error, configMap: name }, "the report could not be read");
    return undefined;
  }
}

async function wrote(
  text: string,
  { client, namespace, name, signal, log }: ReportOptions,
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
