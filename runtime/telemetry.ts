import type { SeverityNumber } from "@opentelemetry/api";
import type { Registry } from "prom-client";
import { pause } from "./kube/backoff.ts";
import { prometheusProducer } from "./prometheus-bridge.ts";

type Attributes = Record<string, string | number | boolean>;

/** Adds attributes to the span that work runs in. */
export type Note = (attributes: Attributes) => void;

/** Runs work in a span. */
type RunInSpan = <T>(name: string, attributes: Attributes, work: (note: Note) => Promise<T>) => Promise<T>;

export type TelemetryOptions = {
  serviceName: string;
  version: string;
  /** Base URL of an OTLP/HTTP collector, e.g. `http://collector:4318`; unset: nothing is imported and nothing is sent. */
  endpoint?: string | undefined;
  /** Resource attributes, e.g. `{"k8s.pod.name": …}`. */
  resource?: Record<string, string>;
  /** Its metrics are exported too. */
  registry?: Registry;
  /** Between metric exports; 30 s by default. */
  metricIntervalMs?: number;
};

export type Telemetry = {
  /** Runs `work` in a span; a throw is recorded on it and thrown on. Without an endpoint it only runs `work`. */
  span: RunInSpan;
  /** Records as a child of the span in hand what has just ended after `seconds`; nothing outside of a span. */
  ended(name: string, seconds: number, attributes: Attributes): void;
  /** `trace_id` and `span_id` of the span in hand, or of that in which `error` was thrown; empty without one. */
  traceOf(error?: unknown): Record<string, string>;
  /** Exports one pino JSON line as a log record; the `sink` of `logger`. */
  emitLine(line: string): void;
  /** Sends what is left, bounded by five seconds; never throws. */
  shutdown(): Promise<void>;
};

/** Traces, metrics and logs by OTLP/HTTP. */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { endpoint } = options;
  if (endpoint === undefined || endpoint === "") return silence;
  const [api, sdk] = await Promise.all([
    import("@opentelemetry/api"),
    startSdk(options, endpoint.replace(/\/+$/, "")),
  ]);
  const tracer = api.trace.getTracer(options.serviceName, options.version);
  const failed = new WeakMap<object, Record<string, string>>();
  const records = api.logs.getLogger(options.serviceName, options.version);
  return {
    span: (name, attributes, work) =>
      tracer.startActiveSpan(name, { attributes }, async (span) => {
        try {
          return await work((more) => void span.setAttributes(more));
        } catch (error) {
          const message = error instanceof Error ? error.message : String(error);
          if (error instanceof Error && !failed.has(error)) failed.set(error, idsOf(span.spanContext()));
          span.recordException({ name: error instanceof Error ? error.name : "Error", message });
          span.setStatus({ code: api.SpanStatusCode.ERROR, message });
          throw error;
        } finally {
          span.end();
        }
      }),
    ended(childName, seconds, attributes) {
      if (api.trace.getActiveSpan() === undefined) return;
      const startTime = Date.now() - seconds * 1_000;
      tracer.startSpan(childName, { attributes, startTime }).end();
    },
    traceOf(error) {
      if (error instanceof Error) return failed.get(error) ?? {};
      const context = api.trace.getActiveSpan()?.spanContext();
      return context === undefined ? {} : idsOf(context);
    },
    emitLine(line) {
      const { time, level, msg, ...facts } = JSON.parse(line) as Record<string, unknown>;
      records.emit({
        timestamp: typeof time === "string" ? new Date(time) : new Date(),
        severityText: String(level).toUpperCase(),
        severityNumber: severity(String(level), api.SeverityNumber),
        body: typeof msg === "string" ? msg : "",
        attributes: flattened(facts),
      });
    },
    async shutdown() {
      // A collector that does not answer must not hold up the end of the process.
      await Promise.race([sdk.shutdown().catch(() => undefined), pause(5_000)]);
    },
  };
}

const silence: Telemetry = {
  span: (_name, _attributes, work) => work(() => undefined),
  ended() {},
  traceOf: () => ({}),
  emitLine() {},
  async shutdown() {},
};

/** The names that log collectors look for. */
function idsOf({ traceId, spanId }: { traceId: string; spanId: string }): Record<string, string> {
  return { trace_id: traceId, span_id: spanId };
}

function severity(level: string, numbers: typeof SeverityNumber): SeverityNumber {
  const found = {
    trace: numbers.TRACE,
    debug: numbers.DEBUG,
    warn: numbers.WARN,
    error: numbers.ERROR,
    fatal: numbers.FATAL,
  };
  return Object.entries(found).find(([name]) => name === level)?.[1] ?? numbers.INFO;
}

function flattened(facts: Record<string, unknown>): Attributes {
  const attributes: Attributes = {};
  for (const [name, value] of Object.entries(facts)) {
    const isPlain = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
    attributes[name] = isPlain ? value : JSON.stringify(value);
  }
  return attributes;
}

async function startSdk(options: TelemetryOptions, endpoint: string): Promise<{ shutdown(): Promise<void> }> {
  const [api, node, trace, metrics, logs, traceOut, metricsOut, logsOut] = await Promise.all([
    import("@opentelemetry/api"),
    import("@opentelemetry/sdk-node"),
    import("@opentelemetry/sdk-trace"),
    import("@opentelemetry/sdk-metrics"),
    import("@opentelemetry/sdk-logs"),
    import("@opentelemetry/exporter-trace-otlp-http"),
    import("@opentelemetry/exporter-metrics-otlp-http"),
    import("@opentelemetry/exporter-logs-otlp-http"),
  ]);
  const { registry } = options;
  const reader = new metrics.PeriodicExportingMetricReader({
    exporter: new metricsOut.OTLPMetricExporter({ url: `${endpoint}/v1/metrics` }),
    exportIntervalMillis: options.metricIntervalMs ?? 30_000,
    exportTimeoutMillis: Math.min(10_000, options.metricIntervalMs ?? 10_000),
    metricProducers:
      registry === undefined ? [] : [prometheusProducer(registry, { ...metrics, ValueType: api.ValueType })],
  });
  return node.startNodeSdk({
    // The SDK would write its own troubles to the console, between the JSON lines.
    logLevel: "none",
    resourceAttributes: {
      "service.name": options.serviceName,
      "service.version": options.version,
      ...options.resource,
    },
    resourceDetectors: [],
    spanProcessors: [
      new trace.BatchSpanProcessor({
        exporter: new traceOut.OTLPTraceExporter({ url: `${endpoint}/v1/traces` }),
      }),
    ],
    metricReaders: [reader],
    logRecordProcessors: [
      new logs.BatchLogRecordProcessor({
        exporter: new logsOut.OTLPLogExporter({ url: `${endpoint}/v1/logs` }),
      }),
    ],
  });
}
