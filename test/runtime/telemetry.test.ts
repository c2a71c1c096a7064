import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { expect, test, vi } from "vitest";
import { logger } from "../../runtime/log.ts";
import { startTelemetry } from "../../runtime/telemetry.ts";
import { startCollector } from "./collector.ts";

test("without an endpoint work simply runs", async () => {
  const telemetry = await startTelemetry({ serviceName: "bot", version: "1" });
  expect(await telemetry.span("reconcile", {}, async () => 7)).toBe(7);
  expect(telemetry.traceOf()).toEqual({});
  telemetry.ended("GET", 1, {});
  telemetry.emitLine("not even looked at");
  await telemetry.shutdown();
});

test("exports spans, log lines and the registry's metrics to a collector", async () => {
  const collector = await startCollector();
  const registry = new Registry();
  new Counter({ name: "bids_total", help: "Bids.", labelNames: ["pool"], registers: [registry] }).inc(
    { pool: "dkp" },
    3,
  );
  new Gauge({ name: "queue_depth", help: "Depth.", registers: [registry] }).set(5);
  const latency = new Histogram({
    name: "latency_seconds",
    help: "Latency.",
    buckets: [0.1, 1],
    registers: [registry],
  });
  for (const seconds of [0.05, 0.5, 0.6, 3]) latency.observe(seconds);

  const telemetry = await startTelemetry({
    serviceName: "bot",
    version: "1.2.3",
    endpoint: `${collector.endpoint}/`,
    resource: { "k8s.pod.name": "core-bot-0" },
    registry,
    metricIntervalMs: 100,
  });
  const log = logger({
    level: "info",
    format: "json",
    name: "bot",
    destination: { write: () => undefined },
    sink: (line) => telemetry.emitLine(line),
  });
  log.warn({ guild: "core", token: "hunter2" }, "the database is slow");
  await telemetry.span("command", { command: "award" }, async () => 1);
  await expect(telemetry.span("failing", {}, () => Promise.reject(new Error("refused")))).rejects.toThrow(
    "refused",
  );
  await vi.waitFor(() => expect(collector.bodies("/v1/metrics").length).toBeGreaterThan(0), 20_000);
  await telemetry.shutdown();
  collector.close();

  const traces = collector.bodies("/v1/traces").join("");
  expect(traces).toContain('"name":"command"');
  expect(traces).toContain('"core-bot-0"');
  expect(traces).toContain('"message":"refused"');
  const logs = collector.bodies("/v1/logs").join("");
  expect(logs).toContain("the database is slow");
  expect(logs).not.toContain("hunter2");
  const [metrics = ""] = collector.bodies("/v1/metrics");
  const found = JSON.parse(metrics) as {
    resourceMetrics: { scopeMetrics: { metrics: { name: string; [kind: string]: unknown }[] }[] }[];
  };
  const byName = new Map(
    found.resourceMetrics
      .flatMap((one) => one.scopeMetrics)
      .flatMap((one) => one.metrics)
      .map((one) => [one.name, one]),
  );
  expect(byName.get("bids_total")).toMatchObject({
    sum: { isMonotonic: true, dataPoints: [{ asDouble: 3 }] },
  });
  expect(byName.get("queue_depth")).toMatchObject({ gauge: { dataPoints: [{ asDouble: 5 }] } });
  expect(byName.get("latency_seconds")).toMatchObject({
    histogram: { dataPoints: [{ count: 4, bucketCounts: [1, 2, 1], explicitBounds: [0.1, 1] }] },
  });
});
