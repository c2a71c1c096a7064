import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { RequestObserver } from "./kube/client.ts";
import type { WorkQueueMetrics } from "./kube/work-queue.ts";

/** A registry with the process's own metrics (CPU, memory, event loop) in it. */
export function metricsRegistry(labels: Record<string, string> = {}): Registry {
  const register = new Registry();
  register.setDefaultLabels(labels);
  collectDefaultMetrics({ register });
  return register;
}

/** `rest_client_requests_total` and `rest_client_request_duration_seconds`. */
export function requestMetrics(registry: Registry, host: string): RequestObserver {
  const total = new Counter({
    name: "rest_client_requests_total",
    help: "Requests to the API server by status code, method and host.",
    labelNames: ["code", "method", "host"],
    registers: [registry],
  });
  const duration = new Histogram({
    name: "rest_client_request_duration_seconds",
    help: "Time until the API server answered, by method and host.",
    labelNames: ["verb", "host"],
    buckets: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60],
    registers: [registry],
  });
  return ({ method, status, seconds }) => {
    total.inc({ code: status === "error" ? "<error>" : status, method, host });
    duration.observe({ verb: method, host }, seconds);
  };
}

/** The bounds that controller-runtime uses for its work queues, in seconds. */
const queueBuckets = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10];
const reconcileBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** `workqueue_*` and `controller_runtime_*` of one controller. */
export function workQueueMetrics(registry: Registry, controller: string, workers: number): WorkQueueMetrics {
  const queue = { name: controller, controller };
  const counter = countersOf(registry);
  const timing = histogramsOf(registry);
  const gauge = gaugesOf(registry);
  gauge.maxConcurrent.set({ controller }, workers);
  counter.errors.inc({ controller }, 0);
  for (const result of ["success", "error", "requeue_after"]) counter.total.inc({ controller, result }, 0);
  return {
    added: () => counter.adds.inc(queue),
    depth: (value) => gauge.depth.set(queue, value),
    started(queuedSeconds) {
      timing.queued.observe(queue, queuedSeconds);
      gauge.active.inc({ controller });
    },
    finished(result, seconds) {
      gauge.active.dec({ controller });
      timing.worked.observe(queue, seconds);
      timing.reconciled.observe({ controller }, seconds);
      counter.total.inc({ controller, result });
      if (result === "error") counter.errors.inc({ controller });
    },
    retried: () => counter.retries.inc(queue),
    unfinished(seconds) {
      measureOnRead(registry, "workqueue_unfinished_work_seconds", "Seconds of work in progress.", (set) =>
        set(
          queue,
          seconds().reduce((sum, value) => sum + value, 0),
        ),
      );
      measureOnRead(
        registry,
        "workqueue_longest_running_processor_seconds",
        "The longest work in progress.",
        (set) => set(queue, Math.max(0, ...seconds())),
      );
    },
  };
}

/** `leader_election_master_status` (1 while leading). */
export function leaderMetrics(registry: Registry, name: string, isLeader: () => boolean): void {
  const gauge: Gauge = new Gauge({
    name: "leader_election_master_status",
    help: "1 while this process holds the lease.",
    labelNames: ["name"],
    registers: [registry],
    collect: () => gauge.set({ name }, isLeader() ? 1 : 0),
  });
}

function measureOnRead(
  registry: Registry,
  name: string,
  help: string,
  measure: (set: (labels: Record<string, string>, value: number) => void) => void,
): void {
  const gauge: Gauge = new Gauge({
    name,
    help,
    labelNames: ["name", "controller"],
    registers: [registry],
    collect: () => measure((labels, value) => gauge.set(labels, value)),
  });
}

function countersOf(registry: Registry) {
  const registers = [registry];
  const counter = (name: string, help: string, labelNames: string[]) =>
    new Counter({ name, help, labelNames, registers });
  return {
    adds: counter("workqueue_adds_total", "Keys added to the queue.", ["name", "controller"]),
    retries: counter("workqueue_retries_total", "Keys put back after a failure.", ["name", "controller"]),
    total: counter("controller_runtime_reconcile_total", "Reconciliations by result.", [
      "controller",
      "result",
    ]),
    errors: counter("controller_runtime_reconcile_errors_total", "Reconciliations that failed.", [
      "controller",
    ]),
  };
}

function histogramsOf(registry: Registry) {
  const registers = [registry];
  const histogram = (name: string, help: string, labelNames: string[], buckets: number[]) =>
    new Histogram({ name, help, labelNames, buckets, registers });
  const queue = ["name", "controller"];
  return {
    queued: histogram(
      "workqueue_queue_duration_seconds",
      "How long a key waited for a worker.",
      queue,
      queueBuckets,
    ),
    worked: histogram(
      "workqueue_work_duration_seconds",
      "How long a key was worked on.",
      queue,
      queueBuckets,
    ),
    reconciled: histogram(
      "controller_runtime_reconcile_time_seconds",
      "How long a reconciliation took.",
      ["controller"],
      reconcileBuckets,
    ),
  };
}

function gaugesOf(registry: Registry) {
  const registers = [registry];
  const gauge = (name: string, help: string, labelNames: string[]) =>
    new Gauge({ name, help, labelNames, registers });
  return {
    depth: gauge("workqueue_depth", "Keys waiting for a worker.", ["name", "controller"]),
    active: gauge("controller_runtime_active_workers", "Workers in use.", ["controller"]),
    maxConcurrent: gauge("controller_runtime_max_concurrent_reconciles", "Workers at most.", ["controller"]),
  };
}
