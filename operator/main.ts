import type { Registry } from "prom-client";
import { EnvironmentError, parseEnvironment } from "../runtime/environment.ts";
import { healthServer } from "../runtime/health.ts";
import { kubeClient } from "../runtime/kube/client.ts";
import {
  type KubeConnection,
  connectionFromKubeConfig,
  inClusterConnection,
} from "../runtime/kube/config.ts";
import { type Logger, logger } from "../runtime/log.ts";
import { leaderMetrics, metricsRegistry, requestMetrics, workQueueMetrics } from "../runtime/metrics.ts";
import { type Shutdown, onShutdown } from "../runtime/shutdown.ts";
import { startTelemetry } from "../runtime/telemetry.ts";
import { assignmentsServer } from "./assignments.ts";
import { type Environment, environmentSchema, guildSettings } from "./config.ts";
import { assignmentsMetrics, guildMetrics, leaderCounts } from "./guild-metrics.ts";
import { operatorName } from "./guild/names.ts";
import { type Operator, startOperator } from "./start.ts";

function connection(environment: Environment): Promise<KubeConnection> | KubeConnection {
  if (environment.KUBECONFIG !== undefined) return connectionFromKubeConfig(environment.KUBECONFIG);
  return inClusterConnection({
    serviceAccountDir: environment.SERVICE_ACCOUNT_DIR,
    host: environment.KUBERNETES_SERVICE_HOST,
    port: environment.KUBERNETES_SERVICE_PORT,
  });
}

async function main(environment: Environment): Promise<void> {
  const registry = metricsRegistry();
  const telemetry = await startTelemetry({
    serviceName: operatorName,
    version: "0.1.0",
    endpoint: environment.OTEL_EXPORTER_OTLP_ENDPOINT,
    resource: { "k8s.pod.name": environment.POD_NAME, "k8s.namespace.name": environment.POD_NAMESPACE },
    registry,
  });
  const log = logger({
    level: environment.LOG_LEVEL,
    format: environment.LOG_FORMAT,
    name: operatorName,
    sink: (line) => telemetry.emitLine(line),
    ...(environment.OTEL_EXPORTER_OTLP_ENDPOINT === undefined ? {} : { facts: () => telemetry.traceOf() }),
  });
  const shutdown = onShutdown({ host: process, log, deadlineMs: 25_000 });
  shutdown.step("telemetry", () => telemetry.shutdown());
  const kube = await connection(environment);
  const measure = requestMetrics(registry, new URL(kube.server).host);
  const client = kubeClient({
    connection: kube,
    fieldManager: operatorName,
    userAgent: `${operatorName}/0.1.0`,
    observe: (request) => {
      measure(request);
      const { method, path, status, seconds } = request;
      telemetry.ended(method, seconds, { "url.path": path, "http.response.status_code": status });
    },
  });
  shutdown.step("connections", () => client.close());
  const operator = startOperator({
    client,
    settings: guildSettings(environment),
    namespaces: environment.WATCH_NAMESPACES,
    workers: environment.WORKERS,
    resyncMs: environment.RESYNC_PERIOD * 1_000,
    identity: environment.POD_NAME,
    election: {
      namespace: environment.POD_NAMESPACE,
      name: environment.LEASE_NAME,
      leaseDurationMs: environment.LEASE_DURATION * 1_000,
      renewDeadlineMs: environment.LEASE_RENEW_DEADLINE * 1_000,
      retryPeriodMs: environment.LEASE_RETRY_PERIOD * 1_000,
    },
    telemetry,
    leaderCounts: leaderCounts(registry),
    queueMetrics: workQueueMetrics(registry, "dkpguild", environment.WORKERS),
    log,
  });
  leaderMetrics(registry, environment.LEASE_NAME, () => operator.isLeader());
  guildMetrics(registry, {
    guilds: () => operator.world.guilds(),
    clock: () => Date.now(),
    perGuild: environment.GUILD_METRICS === "on",
  });
  shutdown.step("operator", () => operator.stop());
  await serve(environment, operator, registry, shutdown, log);
}

/** Opens the two ports. */
async function serve(
  environment: Environment,
  operator: Operator,
  registry: Registry,
  shutdown: Shutdown,
  log: Logger,
): Promise<void> {
  const server = await healthServer({
    address: environment.METRICS_ADDRESS,
    checks: { live: () => [], ready: () => operator.problems() },
    metrics: () => registry.metrics(),
  });
  shutdown.step("health", () => server.close());
  const assignments = await assignmentsServer({
    address: environment.ASSIGNMENTS_ADDRESS,
    world: operator.world,
    problems: () => operator.problems(),
    isLeader: () => operator.isLeader(),
    observe: assignmentsMetrics(registry),
  });
  shutdown.step("assignments", () => assignments.close());
  log.info(
    { port: server.port, assignmentsPort: assignments.port, namespaces: environment.WATCH_NAMESPACES },
    "the operator runs",
  );
}

try {
  await main(parseEnvironment(environmentSchema, process.env));
} catch (error) {
  const text =
    error instanceof EnvironmentError ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`${text}\n`);
  process.exitCode = 1;
}
