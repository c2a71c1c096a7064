import * as z from "zod";
import type { GuildSettings } from "./guild/settings.ts";

const url = z.url({ protocol: /^https?$/, error: "must be an http or https URL" });
const seconds = (fallback: number) =>
  z.coerce.number("must be a number of seconds").min(1).max(600).default(fallback);
const share = (fallback: string) =>
  z
    .string()
    .regex(/^([1-9]\d{0,5}|\d{1,2}%|100%)$/, "must be a number of guilds or a percentage, such as 5 or 10%")
    .default(fallback)
    .transform((text) =>
      text.endsWith("%") ? { percent: Number.parseInt(text, 10) } : { count: Number(text) },
    );
const address = z.string().regex(/^([^:]*|\[.*\]):\d{1,5}$/, "must be an address such as :8080");

/** Every environment variable of the operator. */
export const environmentSchema = z
  .object({
    BOT_IMAGE: z.string().min(1),
    /** The same as BOT_IMAGE when unset. */
    BOT_IMAGE_CANARY: z.string().min(1).optional(),
    POSTGRES_IMAGE: z.string().min(1).default("ghcr.io/cloudnative-pg/postgresql:16.6-bookworm"),
    DISCORD_API_URL: url.optional(),
    OTEL_EXPORTER_OTLP_ENDPOINT: url.optional(),
    /** Names separated by commas; all namespaces when unset. */
    WATCH_NAMESPACES: z
      .string()
      .default("")
      .transform((names) =>
        names
          .split(",")
          .map((name) => name.trim())
          .filter((name) => name !== ""),
      ),
    /** The namespace that may read metrics of bots and databases. */
    MONITORING_NAMESPACE: z.string().min(1).max(63).default("observability"),
    /** How many guilds may move to another image at once, at least one. */
    ROLLOUT_MAX_IN_FLIGHT: share("10%"),
    /** How many guilds an image may fail on before its rollout halts, at least two; a share is one of those that were tried. */
    ROLLOUT_FAILURE_BUDGET: share("20%"),
    WORKERS: z.coerce.number("must be a number").int().min(1).max(256).default(16),
    /** How soon a guild that is well is looked at again. */
    RESYNC_PERIOD: seconds(300),
    METRICS_ADDRESS: address.default(":8080"),
    /** Of /guild-assignments. */
    ASSIGNMENTS_ADDRESS: address.default(":3001"),
    /** Metrics with a series for each guild; off where some ten thousand would be too many for your Prometheus. */
    GUILD_METRICS: z.enum(["on", "off"]).default("on"),
    LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace"]).default("info"),
    LOG_FORMAT: z.enum(["json", "text"]).default("json"),
    POD_NAME: z.string().min(1),
    POD_NAMESPACE: z.string().min(1),
    LEASE_NAME: z.string().min(1).default("dkp-operator"),
    LEASE_DURATION: seconds(15),
    LEASE_RENEW_DEADLINE: seconds(10),
    LEASE_RETRY_PERIOD: seconds(2),
    /** Outside a cluster: a kubeconfig instead of the pod's service account. */
    KUBECONFIG: z.string().min(1).optional(),
    SERVICE_ACCOUNT_DIR: z.string().min(1).default("/var/run/secrets/kubernetes.io/serviceaccount"),
    KUBERNETES_SERVICE_HOST: z.string().min(1).default("kubernetes.default.svc"),
    KUBERNETES_SERVICE_PORT: z.string().regex(/^\d+$/, "must be a port").default("443"),
  })
  .refine(
    ({ LEASE_DURATION, LEASE_RENEW_DEADLINE, LEASE_RETRY_PERIOD }) =>
      LEASE_DURATION > LEASE_RENEW_DEADLINE && LEASE_RENEW_DEADLINE > LEASE_RETRY_PERIOD,
    "LEASE_DURATION must be longer than LEASE_RENEW_DEADLINE, and that longer than LEASE_RETRY_PERIOD.",
  );

export type Environment = z.infer<typeof environmentSchema>;

/** What the environment says about every guild. */
export function guildSettings(environment: Environment): GuildSettings {
  return {
    botImage: environment.BOT_IMAGE,
    botImageCanary: environment.BOT_IMAGE_CANARY ?? environment.BOT_IMAGE,
    postgresImage: environment.POSTGRES_IMAGE,
    discordApiUrl: environment.DISCORD_API_URL,
    monitoringNamespace: environment.MONITORING_NAMESPACE,
    otlpEndpoint: environment.OTEL_EXPORTER_OTLP_ENDPOINT,
    rollout: {
      maxInFlight: environment.ROLLOUT_MAX_IN_FLIGHT,
      failureBudget: environment.ROLLOUT_FAILURE_BUDGET,
    },
  };
}
