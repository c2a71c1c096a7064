import type { Registry } from "prom-client";

export type Attributes = Record<string, string | number | boolean>;

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
  span<T>(name: string, attributes: Attributes, work: () => Promise<T>): Promise<T>;
  /** Exports one pino JSON line as a log record; the `sink` of `logger`. */
  emitLine(line: string): void;
  /** Sends what is left, bounded by five seconds; never throws. */
  shutdown(): Promise<void>;
};

/** Traces, metrics and logs by OTLP/HTTP. */
export async function startTelemetry(_options: TelemetryOptions): Promise<Telemetry> {
  throw new Error("not built yet");
}
