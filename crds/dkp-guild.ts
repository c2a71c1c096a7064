import * as z from "zod";
import { backupSchema } from "./backup.ts";
import { maintenanceSchema, modeSchema } from "./bot-config.ts";
import { databaseRules, databaseSchema } from "./database.ts";
import { placementSchema } from "./placement.ts";
import { resourcesSchema, sizeSchema } from "./quantity.ts";
import { reservedEnvironment } from "./reserved-environment.ts";
import { rulesSchema } from "./rules.ts";
import { type ResourceMetadata, checked, secretKeyRef, snowflake } from "./schema.ts";
import type { DkpGuildStatus } from "./status.ts";

export const group = "dkp.dev";
export const version = "v1alpha1";

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
    size: sizeSchema.default("small").meta({
      description:
        "CPU and memory of each bot pod: small 50m and 128Mi with a limit of 256Mi, standard 100m and 192Mi with one of 384Mi, large 250m and 384Mi with one of 768Mi.",
    }),
    resources: resourcesSchema("CPU and memory of each bot pod, instead of what size says.").optional(),
    logLevel: z
      .enum(["fatal", "error", "warn", "info", "debug", "trace"])
      .default("info")
      .meta({ description: "How much the bot logs." }),
    logFormat: z.enum(["json", "text"]).default("json").meta({ description: "How its log lines look." }),
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

const days = (fallback: string, description: string) =>
  z
    .string()
    .max(8)
    .default(fallback)
    .meta(
      checked(description, {
        rule: "self.matches('^[0-9]+[hd]$')",
        message: "must be a number of hours or days, for example 12h or 30d",
      }),
    );

const retentionSchema = z
  .strictObject({
    resources: days("7d", "How long the stopped database's objects stay, for example 7d."),
    volumes: days("30d", "How long its volumes stay, counted from the deletion, for example 30d."),
  })
  .meta({
    description:
      "With deletionPolicy Snapshot and Delete: how long a deleted guild's stopped database stays before it is removed; at once when left out.",
  });

export const specSchema = z
  .strictObject({
    guildId: snowflake("Discord id of the guild (server). Immutable."),
    suspend: z.boolean().default(false).meta({
      description: "Stop reconciling this guild, so that manual repair is not reverted. Pods go on running.",
    }),
    hibernate: z.boolean().default(false).meta({
      description:
        "Put the guild to sleep: its bot is stopped, what is not yet backed up is, and its PostgreSQL is stopped; the volumes stay. With database.mode dedicated only.",
    }),
    mode: modeSchema.default("active").meta({
      description:
        "What the bot accepts: active everything; readOnly only commands that change nothing; maintenance nothing.",
    }),
    maintenance: maintenanceSchema.optional().meta({ description: "Said to members in mode maintenance." }),
    discord,
    bot,
    database: databaseSchema,
    backup: backupSchema.optional(),
    placement: placementSchema.optional(),
    rules: rulesSchema.optional(),
    deletionPolicy: z.enum(["Retain", "Snapshot", "Delete"]).default("Retain").meta({
      description:
        "What becomes of the database when this guild is deleted. Retain keeps it, and a new DkpGuild of the same name and guildId takes it up again. Snapshot takes a last backup first and then removes it as retention says. Delete removes it with all its data.",
    }),
    retention: retentionSchema.optional(),
  })
  .meta(
    checked(
      "What is wanted.",
      {
        rule: "self.guildId == oldSelf.guildId",
        message:
          "guildId is immutable: put back the present one, and declare another DkpGuild for another guild",
        fieldPath: ".guildId",
      },
      {
        rule: "!has(self.backup) || self.database.mode == 'dedicated'",
        message:
          "backup belongs to database.mode dedicated: remove it, and back up the shared or external server itself",
        fieldPath: ".backup",
      },
      {
        rule: "self.deletionPolicy != 'Snapshot' || (has(self.backup) && self.backup.enabled)",
        message:
          "deletionPolicy Snapshot needs somewhere to put the last backup: set backup, or choose Retain",
        fieldPath: ".deletionPolicy",
      },
      {
        rule: "self.hibernate == false || self.database.mode == 'dedicated'",
        message: "hibernate belongs to database.mode dedicated: set bot.replicas: 0 to stop the bot alone",
        fieldPath: ".hibernate",
      },
      ...databaseRules,
    ),
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
  metadata: ResourceMetadata;
  spec: DkpGuildSpec;
  status?: DkpGuildStatus;
};
