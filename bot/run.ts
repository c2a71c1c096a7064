import { hostname } from "node:os";
import type { Registry } from "prom-client";
import { healthServer } from "../runtime/health.ts";
import type { KubeClient } from "../runtime/kube/client.ts";
import { inClusterConnection } from "../runtime/kube/config.ts";
import { lightKubeClient } from "../runtime/kube/light-client.ts";
import type { Logger } from "../runtime/log.ts";
import { leaderMetrics as leaderElectionMetric, requestMetrics } from "../runtime/metrics.ts";
import type { Shutdown } from "../runtime/shutdown.ts";
import type { Telemetry } from "../runtime/telemetry.ts";
import type { BotSettings } from "./config.ts";
import { botMetrics, type BotMetrics } from "./discord/metrics.ts";
import { botFacts, type Facts } from "./facts.ts";
import { configFeed, type ConfigFeed } from "./jobs/config-feed.ts";
import {
  inKubernetes,
  leaseLeadership,
  podNamespace,
  standaloneLeadership,
  type Leadership,
} from "./jobs/leadership.ts";
import { periodically } from "./jobs/periodic.ts";
import { leaderMetrics, poolMetrics } from "./leader-metrics.ts";
import { leaderJobs } from "./leader.ts";
import { configuredRestore } from "./restore.ts";
import { serveCommands, type Serving } from "./serve.ts";
import { openDatabase, type Database } from "./store/database.ts";
import { openReader, type Reader } from "./store/reader.ts";
import { credentialsWatch } from "./store/rotation.ts";
import { openStore, type Store } from "./store-opening.ts";

export type RunOptions = {
  settings: BotSettings;
  version: string;
  log: Logger;
  registry: Registry;
  telemetry: Telemetry;
  shutdown: Shutdown;
};

/** Where the pod is in Kubernetes; absent outside. */
type Cluster = { client: KubeClient; namespace: string };

/**
 * Runs one replica of the bot until the shutdown: serves commands, and runs the jobs while it leads. Resolves with the
 * port of the probes once it serves. Steps of the shutdown run backwards, so intake ends first and the pool last.
 */
export async function runBot(options: RunOptions): Promise<{ port: number }> {
  const { settings, log, shutdown } = options;
  const identity = settings.podName ?? hostname();
  log.info({ guilds: [settings.discord.guildId], pod: identity }, "assigned guilds");
  const facts = botFacts(log);
  let leadership: Leadership | undefined;
  const metrics = botMetrics(options.registry);
  const isLeader = () => leadership?.isLeader() ?? false;
  leaderElectionMetric(options.registry, settings.lease?.name ?? "postgresql", isLeader);
  const leading = leaderMetrics(options.registry, isLeader);
  const health = await healthServer({
    address: settings.metricsAddress,
    checks: {
      live: () => [],
      ready: () => (shutdown.signal.aborted ? ["The bot is shutting down."] : facts.problems()),
    },
    metrics: () => options.registry.metrics(),
  });
  shutdown.step("health", () => health.close());
  const cluster = await whereabouts(options);
  const config = configFeed(settings.configFile, log);
  if (settings.configFile !== undefined) {
    shutdown.step("config file", () => config.close());
  }
  const database = openDatabase(settings.database);
  const reader = openReader(database, log);
  poolMetrics(options.registry, database.pool);
  shutdown.step("database pool", () => Promise.all([database.close(), reader.close()]).then(() => undefined));
  followCredentials(database, options);
  const store = openStore({
    database,
    restore: () => configuredRestore(config.latest()),
    guildId: settings.discord.guildId,
    migrate: cluster === undefined,
    facts,
    signal: shutdown.signal,
    log,
  });
  const serving = Promise.all([store, config.looked]).then(([opened]) =>
    start(options, opened, { facts, metrics, config, reader }),
  );
  serving.catch(() => undefined); // Rejects only when the shutdown began before the database was there.
  const lead = leaderJobs({ ...options, identity, cluster, facts, store, serving, config });
  if (cluster !== undefined && settings.lease !== undefined) {
    leadership = leaseLeadership({
      ...cluster,
      lease: settings.lease,
      identity,
      lead,
      metrics: leading,
      log,
    });
    shutdown.step("lease", () => leadership?.stop());
  }
  const [{ presence }, { intakeStop }] = await Promise.all([store, serving]);
  if (leadership === undefined) {
    leadership = standaloneLeadership({ presence, identity, lead, metrics: leading, log });
    shutdown.step("leader lock", () => leadership?.stop());
  }
  // Leadership goes at once and not after slow answers, so that the next leader's jobs do not wait for them.
  shutdown.step("commands and jobs in hand", async () => {
    await Promise.all([leadership?.stop(), intakeStop()]);
  });
  return { port: health.port };
}

/** How often mounted credentials are looked at; kubelet itself takes up to a minute to bring new ones. */
const credentialsPeriodMs = 5000;

function followCredentials(database: Database, { shutdown, log }: RunOptions): void {
  void periodically({
    periodMs: credentialsPeriodMs,
    signal: shutdown.signal,
    work: credentialsWatch(database, log),
    onFailure: (error) => log.debug({ err: error }, "looking for rotated credentials"),
  });
}

/** Opens the way from Discord to the ledger. */
async function start(
  options: RunOptions,
  store: Store,
  parts: { facts: Facts; metrics: BotMetrics; config: ConfigFeed; reader: Reader },
): Promise<Serving> {
  options.shutdown.step("presence", () => store.presence.close());
  options.shutdown.step("ledger", () => store.ledger.close());
  const serving = serveCommands({ ...options, ...store, ...parts });
  options.shutdown.step("gateway session", () => serving.stop());
  return serving;
}

/** Kubernetes when a service account is mounted and a Lease is named, otherwise nothing. */
async function whereabouts({
  settings,
  version,
  log,
  registry,
  shutdown,
}: RunOptions): Promise<Cluster | undefined> {
  const { serviceAccountDir, kubernetes } = settings;
  const { host } = kubernetes;
  const mounted = await inKubernetes(serviceAccountDir);
  if (!mounted || settings.lease === undefined || host === undefined) {
    log.info("detected standalone environment");
    return undefined;
  }
  log.info("detected Kubernetes environment, using leader election for syncs");
  const namespace = await podNamespace(settings.podNamespace, serviceAccountDir, log);
  const connection = inClusterConnection({ serviceAccountDir, host, port: kubernetes.port });
  const client = lightKubeClient({
    connection,
    fieldManager: "dkp-bot",
    userAgent: `dkp-bot/${version}`,
    connections: 2,
    observe: requestMetrics(registry, new URL(connection.server).host),
  });
  shutdown.step("Kubernetes connections", () => client.close());
  return { client, namespace };
}
