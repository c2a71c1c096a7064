import * as z from "zod";
import { type ResourceMetadata, checked } from "./schema.ts";
import { conditionsSchema, observedGenerationSchema } from "./status.ts";

const targetSentence = 'must be a time with its zone, for example "2026-11-21T18:30:00Z"';

export const restoreSpecSchema = z
  .strictObject({
    guildRef: z
      .strictObject({
        name: z.string().min(1).max(40).meta({ description: "Name of the DkpGuild, in the same namespace." }),
      })
      .meta({ description: "The guild whose database is taken back." }),
    targetTime: z
      .string()
      .max(40)
      .optional()
      .meta(
        checked("Time to go back to, RFC 3339; the latest that was archived when left out.", {
          rule: "self.matches('^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$')",
          message: targetSentence,
        }),
      ),
  })
  .meta(
    checked("What is to be restored. A restore happens once, so nothing of this can be changed.", {
      rule: "self == oldSelf",
      message: "a DkpRestore happens once and cannot be changed: make another one",
    }),
  );

export const restoreRules = [
  {
    rule: "self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    message:
      "metadata.name must have at most 40 lower-case letters, digits and dashes, starting with a letter and not ending with a dash, for example before-the-mistake",
  },
];

const phases = [
  "Pending",
  "Recovering",
  "CuttingOver",
  "AwaitingConfirmation",
  "Completed",
  "Failed",
] as const;

export const restoreStatusSchema = z
  .strictObject({
    observedGeneration: observedGenerationSchema,
    phase: z.enum(phases).optional().meta({
      description:
        "Pending until it may begin; Recovering while the new Cluster comes up; CuttingOver while the bot is moved to it; AwaitingConfirmation until an officer has said /dkp-admin confirm-restore; Completed; Failed, with the guild left as it was.",
    }),
    cluster: z.string().max(63).optional().meta({ description: "Name of the new Cluster." }),
    from: z
      .string()
      .max(63)
      .optional()
      .meta({ description: "Name of the Cluster that served before; it is kept." }),
    startedAt: z.string().max(40).optional().meta({ description: "When the restore began." }),
    completedAt: z
      .string()
      .max(40)
      .optional()
      .meta({ description: "When the bot served from the new Cluster." }),
    conditions: conditionsSchema(8, "Ready, Reconciling and Stalled, as kstatus reads them."),
  })
  .meta({ description: "How far it is." });

/** A DkpRestore as the API server hands it out. */
export type DkpRestore = {
  apiVersion: string;
  kind: string;
  metadata: ResourceMetadata;
  spec: z.infer<typeof restoreSpecSchema>;
  status?: z.infer<typeof restoreStatusSchema>;
};
