import { z } from "zod";
import { maintenanceSchema, modeSchema } from "./bot-config.ts";
import { rulesSchema } from "./rules.ts";
import { checked, secretKeyRef, snowflake } from "./schema.ts";
import type { DkpGuildStatus } from "./status.ts";

export const group = "dkp.dev";
export const version = "v1alpha1";

/** Environment variables that the operator itself sets in bot pods; `spec.bot.env` may not name them. */
export const reservedEnvironment = [
  "BOT_MODE",
  "CONFIG_FILE",
  "DATABASE_CA_FILE",
  "DATABASE_HOST",
  "DATABASE_NAME",
  "DATABASE_PASSWORD",
  "DATABASE_PASSWORD_FILE",
  "DATABASE_PORT",
  "DATABASE_RUNTIME_ROLE",
  "DATABASE_SSL_MODE",
  "DATABASE_URL",
  "DATABASE_USER",
  "DATABASE_USER_FILE",
  "DISCORD_API_URL",
  "DISCORD_APPLICATION_ID",
  "DISCORD_BOT_TOKEN",
  "DISCORD_GUILD_ID",
  "DISCORD_TOKEN",
  "DISCORD_TOKEN_FILE",
  "ENVIRONMENT",
  "LEASE_NAME",
  "LOG_FORMAT",
  "LOG_LEVEL",
  "METRICS_ADDRESS",
  "OTEL_EXPORTER_OTLP_ENDPOINT",
  "POD_NAME",
  "POD_NAMESPACE",
  "REPORT_NAME",
  "SERVICE_ACCOUNT_DIR",
];

const quantitySentence = 'must be a quantity such as "500m", "256Mi" or "10Gi"';
const quantity = z
  .string()
  .max(32)
  .regex(/^[0-9]+([.][0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi)?$/, quantitySentence)
  .meta(
    checked("A Kubernetes quantity.", {
      rule: "isQuantity(self) && !self.startsWith('-')",
      message: quantitySentence,
    }),
  );

const resourceList = z.strictObject({
  cpu: quantity.optional(),
  memory: quantity.optional(),
});

const resources = z
  .strictObject({
    requests: resourceList.optional().meta({ description: "What the scheduler sets aside." }),
    limits: resourceList.optional().meta({ description: "What a pod may use at most." }),
  })
  .meta({
    description:
      "CPU and memory of each bot pod; requests of 50m and 128Mi and a limit of 256Mi when left out.",
  });

const discord = z
  .strictObject({
    tokenSecretRef: secretKeyRef(
      "Secret with the bot token of the guild's own Discord application.",
      "token",
    ).optional(),
    applicationIdSecretRef: secretKeyRef(
      "Secret with the application id; read from Discord when left out.",
      "application-id",
    ).optional(),
    gatewayRef: z
      .strictObject({ name: z.string().min(1).max(40).meta({ description: "Name of the DkpGateway." }) })
      .optional()
      .meta({ description: "A shared application. Reserved: this version refuses it." }),
  })
  .meta(
    checked(
      "The Discord application that the bot runs as.",
      {
        rule: "has(self.tokenSecretRef) != has(self.gatewayRef)",
        message:
          "set exactly one of tokenSecretRef and gatewayRef: tokenSecretRef: {name: <Secret>, key: token} for the guild's own application",
      },
      {
        rule: "!has(self.gatewayRef) || has(self.tokenSecretRef)",
        message:
          "gatewayRef needs a DkpGateway, which this version does not have: set tokenSecretRef: {name: <Secret>, key: token} instead",
      },
    ),
  );

const environmentSentence =
  "the operator sets this variable itself: use the field of spec that stands for it, or another name";
const environment = z.strictObject({
  name: z
    .string()
    .min(1)
    .max(128)
    .meta(
      checked(
        "Name of the variable.",
        {
          rule: "self.matches('^[A-Za-z_][A-Za-z0-9_]*$')",
          message: "must be letters, digits and underscores, for example MY_SETTING",
        },
        {
          rule: `!(self in [${reservedEnvironment.map((name) => `'${name}'`).join(", ")}])`,
          message: environmentSentence,
        },
      ),
    ),
  value: z.string().max(4096).default("").meta({ description: "Its value, in plain text: nothing secret." }),
});

const bot = z
  .strictObject({
    image: z
      .string()
      .min(1)
      .max(512)
      .optional()
      .meta({ description: "Image of the bot; the operator's own choice for the channel when left out." }),
    channel: z
      .enum(["stable", "canary"])
      .default("stable")
      .meta({ description: "Which of the operator's images to run when image is left out." }),
    replicas: z.int().min(0).max(10).default(2).meta({
      description: "Number of pods, 0 to 10. All of them serve commands. `kubectl scale` sets it too.",
    }),
    resources: resources.optional(),
    logLevel: z
      .enum(["fatal", "error", "warn", "info", "debug", "trace"])
      .default("info")
      .meta({ description: "How much the bot logs." }),
    env: z
      .array(environment)
      .max(32)
      .default([])
      .meta({
        description: "Further environment variables; none that the operator sets itself.",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
      }),
  })
  .prefault({})
  .meta({ description: "The bot's pods." });

const storage = z
  .strictObject({
    size: quantity.default("10Gi").meta(
      checked(
        "Size of each volume. It may grow, never shrink.",
        {
          rule: "isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))",
          message: 'must be a size such as "10Gi"',
        },
        {
          rule: "!isQuantity(self) || !isQuantity(oldSelf) || quantity(self).compareTo(quantity(oldSelf)) >= 0",
          message: "storage never shrinks: write the present size or a larger one",
        },
      ),
    ),
    storageClass: z
      .string()
      .min(1)
      .max(253)
      .optional()
      .meta({ description: "StorageClass of the volumes; the cluster's default when left out. Immutable." }),
  })
  .prefault({})
  .meta(
    checked("The database's volumes.", {
      rule: "has(self.storageClass) == has(oldSelf.storageClass) && (!has(self.storageClass) || self.storageClass == oldSelf.storageClass)",
      message: "storageClass is immutable: put back the present one (or remove it, if it was not set)",
    }),
  );

const database = z
  .strictObject({
    instances: z
      .int()
      .min(1)
      .max(9)
      .default(3)
      .meta({ description: "PostgreSQL instances, 1 to 9: one primary, the others standbys." }),
    storage,
    image: z
      .string()
      .min(1)
      .max(512)
      .optional()
      .meta({ description: "PostgreSQL image; the operator's own choice when left out." }),
  })
  .prefault({})
  .meta({ description: "The guild's own PostgreSQL, run by CloudNativePG." });

export const specSchema = z
  .strictObject({
    guildId: snowflake("Discord id of the guild (server). Immutable."),
    suspend: z.boolean().default(false).meta({
      description: "Stop reconciling this guild, so that manual repair is not reverted. Pods go on running.",
    }),
    mode: modeSchema.default("active").meta({
      description:
        "What the bot accepts: active everything; readOnly only commands that change nothing; maintenance nothing.",
    }),
    maintenance: maintenanceSchema.optional().meta({ description: "Said to members in mode maintenance." }),
    discord,
    bot,
    database,
    rules: rulesSchema.optional(),
    deletionPolicy: z.enum(["Retain", "Delete"]).default("Retain").meta({
      description:
        "What becomes of the database when this guild is deleted: Retain keeps it, and a new DkpGuild of the same name and guildId takes it up again; Delete removes it with all its data.",
    }),
  })
  .meta(
    checked("What is wanted.", {
      rule: "self.guildId == oldSelf.guildId",
      message:
        "guildId is immutable: put back the present one, and declare another DkpGuild for another guild",
      fieldPath: ".guildId",
    }),
  );

/** Rules over the whole object: the only place where CEL may see the name. */
export const objectRules = [
  {
    rule: "self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    message:
      "metadata.name must have at most 40 lower-case letters, digits and dashes, starting with a letter and not ending with a dash, for example night-watch",
  },
];

type DkpGuildSpec = z.infer<typeof specSchema>;

/** A DkpGuild as the API server hands it out: defaults filled in. */
export type DkpGuild = {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace: string;
    uid: string;
    resourceVersion: string;
    generation: number;
    creationTimestamp: string;
    deletionTimestamp?: string;
    finalizers?: string[];
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec: DkpGuildSpec;
  status?: DkpGuildStatus;
};
