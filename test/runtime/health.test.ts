import { afterEach, expect, test } from "vitest";
import { healthServer, type HealthServer, type HealthServerOptions } from "../../runtime/health.ts";
import { leaderMetrics, metricsRegistry, requestMetrics, workQueueMetrics } from "../../runtime/metrics.ts";
import { workQueue } from "../../runtime/kube/work-queue.ts";

const open: HealthServer[] = [];
afterEach(() => Promise.all(open.splice(0).map((server) => server.close())));

async function serve(options: Partial<HealthServerOptions> = {}) {
  const server = await healthServer({
    address: "127.0.0.1:0",
    checks: { live: () => [], ready: () => [] },
    ...options,
  });
  open.push(server);
  return async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
    return { status: response.status, text: await response.text() };
  };
}

test.each(["/healthz", "/health", "/livez", "/readyz", "/ready"])(
  "%s is ok while nothing is wrong",
  async (path) => {
    const get = await serve();
    expect(await get(path)).toEqual({ status: 200, text: "ok\n" });
  },
);

test("readiness says what is missing while liveness stays well", async () => {
  const get = await serve({
    checks: { live: () => [], ready: async () => ["the database is unreachable", "no gateway session"] },
  });
  expect(await get("/readyz?verbose")).toEqual({
    status: 503,
    text: "the database is unreachable\nno gateway session\n",
  });
  expect(await get("/healthz")).toEqual({ status: 200, text: "ok\n" });
});

test("a check that fails is an answer, not the end", async () => {
  const get = await serve({
    checks: { live: () => [], ready: () => Promise.reject(new Error("cannot tell")) },
  });
  expect(await get("/ready")).toEqual({ status: 500, text: "cannot tell\n" });
  expect((await get("/healthz")).status).toBe(200);
});

test("serves further routes and knows no others", async () => {
  const get = await serve({ routes: { "/assignments": (_, response) => void response.end("{}") } });
  expect(await get("/assignments")).toEqual({ status: 200, text: "{}" });
  expect((await get("/toString")).status).toBe(404);
});

test.each(["8080", "host", ":99999", "a:b"])("refuses the address %s", async (address) => {
  await expect(serve({ address })).rejects.toThrow("is not an address; write host:port or :port.");
});

test("shows the metrics that operators know by name", async () => {
  const registry = metricsRegistry({ app: "dkp" });
  requestMetrics(registry, "api:6443")({ method: "GET", path: "/api/v1/pods", status: "200", seconds: 0.01 });
  leaderMetrics(registry, "dkp-operator", () => true);
  const queue = workQueue({
    workers: 3,
    metrics: workQueueMetrics(registry, "dkpguild", 3),
    baseDelayMs: 60_000,
    maxDelayMs: 60_000,
    onError: () => undefined,
    async reconcile(key) {
      if (key === "bad") throw new Error("refused");
    },
  });
  queue.add("good");
  queue.add("bad");
  const get = await serve({ metrics: () => registry.metrics() });
  await expect
    .poll(async () => (await get("/metrics")).text)
    .toContain('controller_runtime_reconcile_total{controller="dkpguild",result="error",app="dkp"} 1');
  await queue.stop();
  const { text } = await get("/metrics");
  for (const line of [
    'rest_client_requests_total{code="200",method="GET",host="api:6443",app="dkp"} 1',
    'leader_election_master_status{name="dkp-operator",app="dkp"} 1',
    'controller_runtime_reconcile_total{controller="dkpguild",result="success",app="dkp"} 1',
    'controller_runtime_reconcile_errors_total{controller="dkpguild",app="dkp"} 1',
    'controller_runtime_max_concurrent_reconciles{controller="dkpguild",app="dkp"} 3',
    'workqueue_adds_total{name="dkpguild",controller="dkpguild",app="dkp"} 2',
    'workqueue_retries_total{name="dkpguild",controller="dkpguild",app="dkp"} 1',
    'workqueue_depth{name="dkpguild",controller="dkpguild",app="dkp"} 0',
    "workqueue_unfinished_work_seconds{",
    "workqueue_longest_running_processor_seconds{",
    "controller_runtime_reconcile_time_seconds_bucket{",
    "process_resident_memory_bytes{",
  ])
    expect(text).toContain(line);
});
