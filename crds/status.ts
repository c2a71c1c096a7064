import * as z from "zod";
import { phases, rolloutStates } from "./phases.ts";

const text = (maximum: number, description: string) =>
  z.string().max(maximum).optional().meta({ description });
const count = (description: string) => z.int().min(0).optional().meta({ description });

const conditionSchema = z.strictObject({
  type: z.string().max(64).meta({
    description:
      "Ready, Reconciling, Stalled, DatabaseReady, BotReady, CommandsRegistered, BackupReady or RolloutFailed.",
  }),
  status: z.enum(["True", "False", "Unknown"]).meta({ description: "True, False or Unknown." }),
  reason: z.string().max(128).meta({ description: "One word that says why." }),
  message: z.string().max(1024).meta({ description: "A sentence that says why, and what to do." }),
  observedGeneration: z.int().optional().meta({ description: "Generation of spec that this is about." }),
  lastTransitionTime: z
    .string()
    .max(40)
    .meta({ description: "When status last changed.", format: "date-time" }),
});

/** The field `observedGeneration` of a status. */
export const observedGenerationSchema = z
  .int()
  .default(-1)
  .meta({ description: "Generation of spec that this status is about; -1 before the first look." });

/** The field `conditions` of a status: at most so many, each type once. */
export function conditionsSchema(maximum: number, description: string) {
  return z
    .array(conditionSchema)
    .max(maximum)
    .optional()
    .meta({
      description,
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["type"],
    });
}

export const statusSchema = z
  .strictObject({
    observedGeneration: observedGenerationSchema,
    phase: z.enum(phases).optional().meta({
      description:
        "Where the guild is: Pending, DatabaseProvisioning, Migrating and Deploying on its first way up; Ready; Updating while a change is rolled out and nothing is wrong; Degraded when something that worked stopped working; Restoring while a DkpRestore takes over; Stalled when a person has to act; Suspended; Hibernating and Hibernated; Deleting.",
    }),
    conditions: conditionsSchema(16, "What holds and what does not."),
    replicas: count("Bot pods that exist."),
    readyReplicas: count("Bot pods that are ready."),
    selector: text(512, "Label selector of the bot's pods, for the scale subresource."),
    image: text(512, "Image that the bot's pods are meant to run."),
    lastHealthyImage: text(
      512,
      "Image that last served with every pod ready; a rollout that fails returns to it.",
    ),
    rollout: z
      .strictObject({
        image: z.string().max(512).meta({ description: "Image that is being rolled out, or was." }),
        state: z.enum(rolloutStates).meta({
          description:
            "Waiting for its turn in the fleet, Progressing, Done, or Failed and returned to lastHealthyImage.",
        }),
        since: text(40, "Since when."),
        message: text(512, "Why it waits or failed."),
      })
      .optional()
      .meta({ description: "The rollout of the bot's image." }),
    tokenHash: text(
      16,
      "Short hash of the Discord token in use, to see whether a change has arrived; never the token.",
    ),
    leader: z
      .strictObject({
        pod: z.string().max(253).meta({ description: "Pod that runs the guild's periodic jobs." }),
        term: z.int().min(0).meta({ description: "How often the leadership was taken." }),
        since: text(40, "Since when."),
      })
      .optional()
      .meta({ description: "The pod that leads." }),
    database: z
      .strictObject({
        mode: text(16, "dedicated, shared or external."),
        cluster: text(64, "Name of the CloudNativePG Cluster."),
        phase: text(512, "Its phase, as CloudNativePG says it."),
        instances: count("PostgreSQL instances that exist."),
        readyInstances: count("PostgreSQL instances that are ready."),
        primary: text(253, "Instance that is the primary."),
        summary: text(32, "Ready and wanted instances, for example 3/3."),
      })
      .optional()
      .meta({ description: "The database." }),
    backup: z
      .strictObject({
        lastSuccess: text(40, "When the last base backup was completed."),
        firstRecoverable: text(40, "The earliest time that one can restore to."),
        next: text(40, "When the next base backup is due."),
        archiving: z
          .boolean()
          .optional()
          .meta({ description: "Whether the write-ahead log is being archived." }),
        destination: text(512, "Where backups go, as s3://bucket/path."),
        message: text(512, "Why there is none, where there is none."),
      })
      .optional()
      .meta({ description: "Backups." }),
    footprint: z
      .strictObject({
        cpu: text(32, "CPU that the guild's pods request, all of them."),
        memory: text(32, "Memory that they request."),
        storage: text(32, "Volumes that they claim."),
      })
      .optional()
      .meta({ description: "What the guild takes of the cluster." }),
  })
  .meta({ description: "What is." });

export type Condition = z.infer<typeof conditionSchema>;
export type DkpGuildStatus = z.infer<typeof statusSchema>;
