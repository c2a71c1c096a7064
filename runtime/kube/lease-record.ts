import type { KubeObject, Resource } from "./object.ts";

export const leaseResource: Resource = {
  group: "coordination.k8s.io",
  version: "v1",
  kind: "Lease",
  plural: "leases",
  namespaced: true,
};

/** The fields of a Lease that election reads; others (strategy, preferredHolder) are carried along. */
export type Lease = KubeObject & {
  spec?: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    acquireTime?: string;
    renewTime?: string;
    leaseTransitions?: number;
    [field: string]: unknown;
  };
};

/** Kubernetes' MicroTime: RFC 3339 with exactly six decimals. */
export function microTime(atMs: number): string {
  return new Date(atMs).toISOString().replace("Z", "000Z");
}

export function heldBy(lease: Lease, identity: string): boolean {
  return lease.spec?.holderIdentity === identity;
}

/** The Lease as its candidate writes it: renewed where it is the holder already, else taken over. */
export function renewed(
  lease: Lease | undefined,
  candidate: { namespace: string; name: string; identity: string; leaseDurationMs: number },
): Lease {
  const now = microTime(Date.now());
  const { namespace, name, identity } = candidate;
  const before = lease?.spec;
  const keeps = lease !== undefined && heldBy(lease, identity);
  // Whoever takes a Lease that was held before adds a transition; the first holder of a new one does not.
  const transitions = (before?.leaseTransitions ?? 0) + (keeps || before?.acquireTime === undefined ? 0 : 1);
  return {
    ...(lease ?? { metadata: { namespace, name } }),
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    spec: {
      ...before,
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(candidate.leaseDurationMs / 1_000),
      acquireTime: keeps ? (before?.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: transitions,
    },
  };
}

/** The Lease without a holder, as client-go releases it: free at once, its history kept. */
export function released(lease: Lease): Lease {
  const now = microTime(Date.now());
  return {
    ...lease,
    spec: { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1, acquireTime: now, renewTime: now },
  };
}

/** The Lease as last seen, and when (on the local monotonic clock) its record was last seen to change. */
export type Sighting = { lease: Lease | undefined; changedAtMs: number };

/** Whether nobody renewed or took the Lease between the two; an edited label is no sign of life. */
export function isSameRecord(a: Lease | undefined, b: Lease | undefined): boolean {
  return (
    a?.metadata.uid === b?.metadata.uid &&
    a?.spec?.holderIdentity === b?.spec?.holderIdentity &&
    a?.spec?.renewTime === b?.spec?.renewTime
  );
}

/** How long the holder last seen may go on without a sign of life, in milliseconds; negative when its time is over. */
export function expiresInMs(candidate: { leaseDurationMs: number }, sighting: Sighting): number {
  const seconds = sighting.lease?.spec?.leaseDurationSeconds;
  const durationMs = seconds === undefined ? candidate.leaseDurationMs : seconds * 1_000;
  return sighting.changedAtMs + durationMs - performance.now();
}
