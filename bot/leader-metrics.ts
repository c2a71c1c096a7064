import { Counter, Gauge, type Registry } from "prom-client";
import type { Pool } from "pg";

/** How leadership goes, as this replica sees it. */
export type LeaderMetrics = {
  /** An attempt to renew the Lease, or a request for it that the Role forbids. */
  renewal(result: "renewed" | "conflict" | "failed" | "taken" | "forbidden"): void;
  /** Somebody leads who did not before; `previous` is undefined when nobody was known to. */
  leader(identity: string, previous: string | undefined): void;
};

/** `dkp_lease_renewals_total`, `dkp_leader_changes_total`, `dkp_lease_reassignments_total` and `dkp_is_leader`. */
export function leaderMetrics(registry: Registry, isLeader: () => boolean): LeaderMetrics {
  const registers = [registry];
  const renewals = new Counter({
    name: "dkp_lease_renewals_total",
    help: "Attempts to renew the guild's Lease by result, and requests for it that the Role forbids.",
    labelNames: ["result"],
    registers,
  });
  for (const result of ["renewed", "conflict", "failed", "taken", "forbidden"]) {
    renewals.inc({ result }, 0);
  }
  const changes = new Counter({
    name: "dkp_leader_changes_total",
    help: "How often this replica saw another leader than before, the first one included.",
    registers,
  });
  const reassignments = new Counter({
    name: "dkp_lease_reassignments_total",
    help: "How often this replica saw the guild pass from one replica to another.",
    registers,
  });
  const leading: Gauge = new Gauge({
    name: "dkp_is_leader",
    help: "1 while this replica leads the guild.",
    registers,
    collect: () => leading.set(isLeader() ? 1 : 0),
  });
  return {
    renewal: (result) => renewals.inc({ result }),
    leader(identity, previous) {
      if (identity !== previous) {
        changes.inc();
      }
      if (previous !== undefined && identity !== previous) {
        reassignments.inc();
      }
    },
  };
}

/** `dkp_db_pool`: the connections to the primary, and the queries that wait for one. */
export function poolMetrics(registry: Registry, pool: Pool): void {
  const gauge: Gauge = new Gauge({
    name: "dkp_db_pool",
    help: "Connections of the pool that are idle and used, and queries that wait for one.",
    labelNames: ["state"],
    registers: [registry],
    collect() {
      gauge.set({ state: "idle" }, pool.idleCount);
      gauge.set({ state: "used" }, pool.totalCount - pool.idleCount);
      gauge.set({ state: "waiting" }, pool.waitingCount);
    },
  });
}
