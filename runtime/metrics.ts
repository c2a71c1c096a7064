import type { Registry } from "prom-client";
import type { RequestObserver } from "./kube/client.ts";
import type { WorkQueueMetrics } from "./kube/work-queue.ts";

/** A registry with the process's own metrics (CPU, memory, event loop) in it. */
export function metricsRegistry(_labels: Record<string, string> = {}): Registry {
  throw new Error("not built yet");
}

/** `rest_client_requests_total` and `rest_client_request_duration_seconds`. */
export function requestMetrics(_registry: Registry, _host: string): RequestObserver {
  throw new Error("not built yet");
}

/** `workqueue_*` and `controller_runtime_*` of one controller. */
export function workQueueMetrics(
  _registry: Registry,
  _controller: string,
  _workers: number,
): WorkQueueMetrics {
  throw new Error("not built yet");
}

/** `leader_election_master_status` (1 while leading). */
export function leaderMetrics(_registry: Registry, _name: string, _isLeader: () => boolean): void {
  throw new Error("not built yet");
}
