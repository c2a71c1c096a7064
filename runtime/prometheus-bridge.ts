import type * as OpenTelemetry from "@opentelemetry/api";
import type { HrTime } from "@opentelemetry/api";
import type * as OpenTelemetryMetrics from "@opentelemetry/sdk-metrics";
import type { DataPoint, Histogram, MetricData, MetricProducer } from "@opentelemetry/sdk-metrics";
import type { MetricObjectWithValues, MetricValue, Registry } from "prom-client";

/** The SDK's enums, handed in because they are loaded only with it. */
type Sdk = Pick<typeof OpenTelemetryMetrics, "AggregationTemporality" | "DataPointType"> &
  Pick<typeof OpenTelemetry, "ValueType">;

type Value = MetricValue<string> & { metricName?: string };

/** What the registry holds as OTLP metrics, so that a metric is written once and read by Prometheus and by a collector. */
export function prometheusProducer(registry: Registry, sdk: Sdk): MetricProducer {
  const startTime = hrTime(Date.now());
  return {
    async collect() {
      const endTime = hrTime(Date.now());
      const found = (await registry.getMetricsAsJSON()) as MetricObjectWithValues<Value>[];
      const metrics = found.flatMap((metric) => {
        const data = metricData(metric, sdk, { startTime, endTime });
        return data === undefined ? [] : [data];
      });
      const resource = { attributes: {}, merge: () => resource, getRawAttributes: () => [] };
      return {
        resourceMetrics: { resource, scopeMetrics: [{ scope: { name: "prometheus" }, metrics }] },
        errors: [],
      };
    },
  };
}

type Span = { startTime: HrTime; endTime: HrTime };

/** One metric; undefined for summaries, of which OTLP has no equal. */
function metricData(metric: MetricObjectWithValues<Value>, sdk: Sdk, span: Span): MetricData | undefined {
  const { AggregationTemporality, DataPointType, ValueType } = sdk;
  const base = {
    descriptor: { name: metric.name, description: metric.help, unit: "", valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  const type = String(metric.type);
  if (type === "histogram")
    return { ...base, dataPointType: DataPointType.HISTOGRAM, dataPoints: histograms(metric.values, span) };
  if (type === "counter")
    return {
      ...base,
      dataPointType: DataPointType.SUM,
      dataPoints: points(metric.values, span),
      isMonotonic: true,
    };
  if (type === "gauge")
    return { ...base, dataPointType: DataPointType.GAUGE, dataPoints: points(metric.values, span) };
  return undefined;
}

function points(values: readonly Value[], span: Span): DataPoint<number>[] {
  return values.map(({ labels, value }) => ({ ...span, attributes: { ...labels }, value }));
}

/** Prometheus counts each bucket with all before it, OTLP each by itself. */
function histograms(values: readonly Value[], span: Span): DataPoint<Histogram>[] {
  const byLabels = new Map<string, { attributes: Record<string, string | number>; values: Value[] }>();
  for (const value of values) {
    const { le: _, ...attributes } = value.labels as Record<string, string | number>;
    const key = JSON.stringify(attributes);
    const group = byLabels.get(key) ?? { attributes, values: [] };
    group.values.push(value);
    byLabels.set(key, group);
  }
  return [...byLabels.values()].map(({ attributes, values: group }) => ({
    ...span,
    attributes,
    value: histogram(group),
  }));
}

function histogram(group: readonly Value[]): Histogram {
  const valueOf = (suffix: string) => group.find((value) => value.metricName?.endsWith(suffix))?.value ?? 0;
  const buckets = group.filter((value) => value.metricName?.endsWith("_bucket"));
  const boundaries = buckets
    .map((bucket) => Number(bucket.labels["le"]))
    .filter((bound) => Number.isFinite(bound));
  const counts = buckets.map((bucket, index) => bucket.value - (buckets[index - 1]?.value ?? 0));
  return { buckets: { boundaries, counts }, sum: valueOf("_sum"), count: valueOf("_count") };
}

function hrTime(atMs: number): HrTime {
  return [Math.floor(atMs / 1_000), (atMs % 1_000) * 1_000_000];
}
