import { pause } from "./backoff.ts";
import { KubeError } from "./error.ts";
import { expiresInMs, leaseResource, type Lease, type Sighting } from "./lease-record.ts";
import type { Candidate } from "./lease.ts";

/**
 * Watches the one Lease until it may be free: released, deleted, or not renewed for its duration. Returns early, after a
 * moment, when the watch ends; the caller looks again in any case.
 */
export async function followLease(
  candidate: Candidate,
  sighting: Sighting,
  see: (lease: Lease | undefined) => void,
  signal: AbortSignal,
): Promise<void> {
  const { client, namespace, name, retryPeriodMs } = candidate;
  const resourceVersion = sighting.lease?.metadata.resourceVersion;
  if (resourceVersion === undefined) {
    await pause(retryPeriodMs * (0.5 + Math.random()), signal);
    return;
  }
  const alarm = expiryAlarm(candidate, sighting);
  const ending = AbortSignal.any([signal, alarm.signal]);
  try {
    const query = { namespace, fieldSelector: `metadata.name=${name}`, resourceVersion, timeoutSeconds: 600 };
    for await (const event of client.watch<Lease>(leaseResource, query, ending)) {
      if (event.type === "BOOKMARK") continue;
      see(event.type === "DELETED" ? undefined : event.object);
      if (event.type === "DELETED" || !event.object.spec?.holderIdentity) return;
      alarm.reset();
    }
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    if (ending.aborted) return;
    if (error.status === 403) candidate.onForbidden?.(error);
    candidate.log.debug({ err: error, lease: name }, "the watch of the lease ended, looking again");
  } finally {
    alarm.clear();
  }
  await pause(Math.min(retryPeriodMs, Math.max(0, expiresInMs(candidate, sighting))), ending);
}

/** Aborts its signal when the holder's time is over; a little later for each candidate, so that they do not collide. */
function expiryAlarm(candidate: Candidate, sighting: Sighting) {
  const controller = new AbortController();
  const laterMs = Math.random() * Math.min(500, candidate.retryPeriodMs / 2);
  const arm = () =>
    setTimeout(() => controller.abort(), Math.max(0, expiresInMs(candidate, sighting)) + laterMs);
  let timer = arm();
  return {
    signal: controller.signal,
    reset() {
      clearTimeout(timer);
      timer = arm();
    },
    clear: () => clearTimeout(timer),
  };
}
