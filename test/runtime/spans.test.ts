import { expect, test } from "vitest";
import { logger } from "../../runtime/log.ts";
import { startTelemetry } from "../../runtime/telemetry.ts";
import { startCollector } from "./collector.ts";

type Span = {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: { key: string; value: Record<string, unknown> }[];
};

test("what ends within a span is its child, and log lines and errors bear its trace", async () => {
  const collector = await startCollector();
  const telemetry = await startTelemetry({
    serviceName: "operator",
    version: "1",
    endpoint: collector.endpoint,
  });
  const lines: string[] = [];
  const log = logger({
    level: "info",
    format: "json",
    name: "operator",
    destination: { write: (line) => lines.push(line) },
    facts: () => telemetry.traceOf(),
  });
  const failure = new Error("refused");
  log.info("outside");
  telemetry.ended("GET", 0.5, {});
  const work = telemetry.span("reconcile", { guild: "core" }, async (note) => {
    await Promise.resolve();
    telemetry.ended("PATCH", 0.25, { "url.path": "/api/v1/services" });
    log.info("inside");
    note({ "children.updated": 2 });
    throw failure;
  });
  await expect(work).rejects.toBe(failure);
  await telemetry.shutdown();
  collector.close();

  const spans = collector
    .bodies("/v1/traces")
    .flatMap(
      (body) => (JSON.parse(body) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] }).resourceSpans,
    )
    .flatMap(({ scopeSpans }) => scopeSpans)
    .flatMap(({ spans: found }) => found);
  const [reconcile, patch] = ["reconcile", "PATCH"].map((name) => spans.find((span) => span.name === name));
  expect(spans.map(({ name }) => name).toSorted()).toEqual(["PATCH", "reconcile"]);
  expect(patch?.parentSpanId).toBe(reconcile?.spanId);
  const took = BigInt(patch?.endTimeUnixNano ?? 0) - BigInt(patch?.startTimeUnixNano ?? 0);
  expect(Number(took) / 1e6).toBeGreaterThanOrEqual(249);
  expect(reconcile?.attributes).toContainEqual({ key: "children.updated", value: { intValue: 2 } });
  const [outside, inside] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(outside).not.toHaveProperty("trace_id");
  expect(inside).toMatchObject({ trace_id: reconcile?.traceId, span_id: reconcile?.spanId });
  expect(telemetry.traceOf(failure)).toEqual({ trace_id: reconcile?.traceId, span_id: reconcile?.spanId });
});
