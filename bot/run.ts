import { hostname } from "node:os";
import type { Registry } from "prom-client";
import type { BotConfig } from "../crds/bot-config.ts";
import { healthServer } from "../runtime/health.ts";
import type { KubeClient } from "../runtime/kube/client.ts";
import { inClusterConnection } from "../runtime/kube/config.ts";
import { lightKubeClient } from "../runtime/kube/light-client.ts";
import type { Logger } from "../runtime/log.ts";
import { leaderMetrics, requestMetrics } from "../runtime/metrics.ts";
import type { Shutdown } from "../runtime/shutdown.ts";
import type { Telemetry } from "../runtime/telemetry.ts";
import { announcement } from "./announcement.ts";
import type { BotSettings } from "./config.ts";
import { botMetrics, type BotMetrics } from "./discord/metrics.ts";
import { botFacts, type Facts } from "./facts.ts";
import { watchConfigFile } from "./jobs/config-file.ts";
import {
  inKubernetes,
  leaseLeadership,
  podNamespace,
  standaloneLeadership,
  type Leadership,
} from "./jobs/leadership.ts";
import { leaderJobs } from "./leader.ts";
import { serveCommands, type Serving } from "./serve.ts";
import { openDatabase } from "./store/database.ts";
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
  leaderMetrics(
    options.registry,
    settings.lease?.name ?? "postgresql",
    () => leadership?.isLeader() ?? false,
  );
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
  const database = openDatabase(settings.database);
  shutdown.step("database pool", () => database.close());
  const store = openStore({
    database,
    guildId: settings.discord.guildId,
    migrate: cluster === undefined,
    facts,
    signal: shutdown.signal,
    log,
  });
  const serving = store.then((opened) => start(options, opened, facts, metrics));
  serving.catch(() => undefined); // Rejects only when the shutdown began before the database was there.
  const config = latestConfig(options);
  const lead = leaderJobs({ ...options, identity, cluster, facts, store, serving, config });
  if (cluster !== undefined && settings.lease !== undefined) {
    leadership = leaseLeadership({ ...cluster, lease: settings.lease, identity, lead, log });
    shutdown.step("lease", () => leadership?.stop());
  }
  const { presence } = await store;
  if (leadership === undefined) {
    leadership = standaloneLeadership({ presence, identity, lead, log });
    shutdown.step("leader lock", () => leadership?.stop());
  }
  const { intakeStop } = await serving;
  // Leadership goes at once and not after slow answers, so that the next leader's jobs do not wait for them.
  shutdown.step("commands and jobs in hand", async () => {
    await Promise.all([leadership?.stop(), intakeStop()]);
  });
  return { port: health.port };
}

/** Opens the way from Discord to the ledger. */
async function start(options: RunOptions, store: Store, facts: Facts, metrics: BotMetrics): Promise<Serving> {
  options.shutdown.step("presence", () => store.presence.close());
  options.shutdown.step("ledger", () => store.ledger.close());
  const serving = serveCommands({ ...options, ...store, facts, metrics });
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

/** What the config file says now, and a way to wait for it to say something else; without a file nothing ever does. */
export type LatestConfig = (previous: BotConfig | undefined, signal: AbortSignal) => Promise<BotConfig>;

function latestConfig({ settings, log, shutdown }: RunOptions): LatestConfig {
  let latest: BotConfig | undefined;
  const change = announcement();
  if (settings.configFile !== undefined) {
    const file = watchConfigFile({
      path: settings.configFile,
      log,
      onConfig(config) {
        latest = config;
        change.tell();
      },
    });
    shutdown.step("config file", () => file.close());
  }
  return async (previous, signal) => {
    for (;;) {
      signal.throwIfAborted();
      const config = latest;
      if (config !== undefined && config !== previous) {
        return config;
      }
      await change.heard(signal);
    }
  };
}
