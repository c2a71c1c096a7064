import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { reservedEnvironment } from "../../crds/reserved-environment.ts";
import { type Child, child } from "./child.ts";
import type { Database } from "./database.ts";
import { pooledShare } from "./database-size.ts";
import { placement } from "./placement.ts";
import { botSelector, childNames, identityLabels } from "./names.ts";
import {
  commonEnvironment,
  containerSecurityContext,
  databaseEnvironment,
  databaseVolumes,
  discordEnvironment,
  discordVolumes,
  environment,
  podSecurityContext,
  resources,
} from "./pod.ts";
import { deployments } from "./resources.ts";
import { httpPort } from "./headless-service.ts";
import type { GuildSettings } from "./settings.ts";

/** Says which image the operator rolled out last, also while somebody has edited the pod template. */
export const imageAnnotation = "dkp.dev/image";

/** The bot's pods, running `image`. */
export function deployment(
  guild: DkpGuild,
  settings: GuildSettings,
  database: Database,
  image: string,
  replicas = guild.spec.bot.replicas,
): Child {
  const { name } = guild.metadata;
  const { bot } = childNames(name);
  const selector = botSelector(name);
  const facts = { name: bot, owned: true, labels: selector, annotations: { [imageAnnotation]: image } };
  return child(guild, deployments, facts, {
    spec: {
      replicas,
      revisionHistoryLimit: 3,
      progressDeadlineSeconds: 300,
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      selector: { matchLabels: selector },
      template: {
        metadata: {
          labels: { ...identityLabels(guild), ...selector, app: bot, mode: "standalone" },
          annotations: { "kubectl.kubernetes.io/default-container": "bot" },
        },
        spec: podSpec(guild, settings, database, image),
      },
    },
  });
}

function podSpec(guild: DkpGuild, settings: GuildSettings, database: Database, image: string) {
  const names = childNames(guild.metadata.name);
  const volumes = botVolumes(guild, database);
  return {
    serviceAccountName: names.bot,
    automountServiceAccountToken: true,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 30,
    securityContext: podSecurityContext,
    ...placement(guild),
    topologySpreadConstraints: ["kubernetes.io/hostname", "topology.kubernetes.io/zone"].map(
      (topologyKey) => ({
        maxSkew: 1,
        topologyKey,
        whenUnsatisfiable: "ScheduleAnyway",
        labelSelector: { matchLabels: botSelector(guild.metadata.name) },
      }),
    ),
    containers: [
      {
        name: "bot",
        image,
        args: ["run"],
        env: botEnvironment(guild, settings, database),
        ports: [{ name: "http", containerPort: httpPort, protocol: "TCP" }],
        // A slow start has two minutes before liveness is looked at.
        startupProbe: { ...probe("/healthz"), periodSeconds: 2, failureThreshold: 60 },
        livenessProbe: {
          ...probe("/healthz"),
          initialDelaySeconds: 30,
          periodSeconds: 10,
          failureThreshold: 6,
        },
        readinessProbe: {
          ...probe("/readyz"),
          initialDelaySeconds: 5,
          periodSeconds: 5,
          failureThreshold: 3,
        },
        resources: resources(guild),
        securityContext: containerSecurityContext,
        volumeMounts: volumes.map(({ mount }) => mount),
      },
    ],
    volumes: volumes.map(({ volume }) => volume),
  };
}

function probe(path: string) {
  return { httpGet: { path, port: "http" }, timeoutSeconds: 3 };
}

function botVolumes(guild: DkpGuild, database: Database) {
  const names = childNames(guild.metadata.name);
  return [
    // A directory, not a subPath: only then does kubelet bring changes in.
    {
      volume: { name: "config", configMap: { name: names.config, defaultMode: 0o444 } },
      mount: { name: "config", mountPath: "/etc/dkp", readOnly: true },
    },
    ...discordVolumes(guild),
    ...databaseVolumes(database, "runtime"),
  ];
}

function botEnvironment(guild: DkpGuild, settings: GuildSettings, database: Database) {
  const names = childNames(guild.metadata.name);
  const { applicationIdSecretRef } = guild.spec.discord;
  const own = guild.spec.bot.env.filter(({ name }) => !reservedEnvironment.includes(name));
  return [
    ...environment({
      BOT_MODE: "standalone",
      ...commonEnvironment(guild, settings),
      ...discordEnvironment(guild, settings),
      ...(database.mode === "external"
        ? databaseEnvironment(database, "")
        : {
            ...databaseEnvironment(database, database.botHost),
            DATABASE_RO_HOST: database.readOnlyHost,
            DATABASE_POOL_MAX: pooledShare(guild)?.toString(),
          }),
      METRICS_ADDRESS: `:${httpPort}`,
      CONFIG_FILE: "/etc/dkp/config.yaml",
      LEASE_NAME: names.lease,
      REPORT_NAME: names.report,
    }),
    { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
    { name: "POD_NAMESPACE", valueFrom: { fieldRef: { fieldPath: "metadata.namespace" } } },
    ...(applicationIdSecretRef === undefined
      ? []
      : [{ name: "DISCORD_APPLICATION_ID", valueFrom: { secretKeyRef: { ...applicationIdSecretRef } } }]),
    ...own,
  ];
}
