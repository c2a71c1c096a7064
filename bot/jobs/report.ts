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
 * are not written again, and writes keep `spacingMs` between them however fast the facts change. The ledger's head
 * changes with every command: it is written along with something else, or at the next look. Ends with `signal`.
 */
export async function keepReport(options: ReportOptions): Promise<void> {
  const { signal } = options;
  const period = options.lookAgainMs ?? lookAgainMs;
  let written: Report | undefined;
  let lookAtMs = 0;
  while (!signal.aborted) {
    const facts = options.facts();
    const looks = performance.now() >= lookAtMs;
    written = looks && written !== undefined ? await present(options, written) : written;
    if (
      JSON.stringify(looks ? written : headless(written)) !== JSON.stringify(looks ? facts : headless(facts))
    ) {
      written = (await wrote(facts, options)) ? facts : undefined;
    }
    if (looks && written !== undefined) {
      lookAtMs = performance.now() + period;
    }
    await sleep(options.spacingMs ?? 1000, undefined, { signal }).catch(() => undefined);
    // What changed during a write or the pause was announced to nobody: look at the facts again before waiting.
    const current = JSON.stringify(headless(written)) === JSON.stringify(headless(options.facts()));
    if (written !== undefined && current) {
      const looking = AbortSignal.timeout(Math.max(1, Math.ceil(lookAtMs - performance.now())));
      await options.changed(AbortSignal.any([signal, looking]));
    }
  }
}

/** A report without the ledger's head. */
function headless(report: Report | undefined): Report | undefined {
  return report && { ...report, ledger: undefined };
}

/** What the report says now: somebody may have emptied it, or the operator made it anew. */
async function present(
  { client, namespace, name, log, signal }: ReportOptions,
  written: Report,
): Promise<Report | undefined> {
  try {
    const found = await client.get(configMaps, { namespace, name }, { signal });
    const text = (found?.["data"] as Record<string, string> | undefined)?.[reportKey];
    return text === JSON.stringify(written) ? written : undefined;
  } catch (error) {
    log.debug({ err: error, configMap: name }, "the report could not be read");
    return written;
  }
}

async function wrote(
  facts: Report,
  { client, namespace, name, signal, log }: ReportOptions,
): Promise<boolean> {
  try {
    const data = { [reportKey]: JSON.stringify(facts) };
    await client.mergePatch(configMaps, { namespace, name }, { data }, { signal });
    return true;
  } catch (error) {
    if (!signal.aborted) {
      log.warn({ err: error, configMap: name }, "the report could not be written, trying again");
    }
    return false;
  }
}
