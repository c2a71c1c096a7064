import type { Logger } from "../log.ts";
import type { KubeClient } from "./client.ts";

export type ElectionOptions = {
  client: KubeClient;
  namespace: string;
  name: string;
  /** Unique to this process, e.g. the pod's name. */
  identity: string;
  /** How long others wait after the last sign of life; 15 s by default. */
  leaseDurationMs?: number;
  /** How long the holder goes on trying to renew before it gives up; 10 s by default. */
  renewDeadlineMs?: number;
  /** Between attempts that failed; 2 s by default. */
  retryPeriodMs?: number;
  /** Between successful renewals; 5 s by default. */
  renewPeriodMs?: number;
  /** Whether a missing Lease is created; false where the Role does not allow it. */
  create: boolean;
  /**
   * The signal is aborted when leadership ends for whatever reason. A returned promise is waited for (at most until the
   * lease would expire) before a stopping holder releases.
   */
  onAcquired(signal: AbortSignal): void | Promise<void>;
  onLost(reason: "stopped" | "expired" | "taken"): void;
  onNewLeader?(identity: string): void;
  log: Logger;
};

export type Election = {
  /** True only while the last renewal is younger than the renew deadline, even if timers are late. */
  isLeader(): boolean;
  /** The holder last seen; undefined when there is none. */
  holder(): string | undefined;
  /** Ends candidacy; a holder releases the Lease so that another takes over at once. */
  stop(): Promise<void>;
};

/**
 * Stands as a candidate for a `coordination.k8s.io/v1` Lease. Needs get, update and watch on it (and create with `create`).
 * Expiry is judged by the local clock since the record was last seen to change, so skewed clocks do no harm.
 */
export function electLeader(_options: ElectionOptions): Election {
  throw new Error("not built yet");
}
