import * as z from "zod";

const toleration = z.strictObject({
  key: z
    .string()
    .max(316)
    .optional()
    .meta({ description: "Taint key; every taint when left out with operator Exists." }),
  operator: z.enum(["Exists", "Equal"]).default("Equal").meta({ description: "How value is compared." }),
  value: z.string().max(63).optional().meta({ description: "Taint value." }),
  effect: z
    .enum(["NoSchedule", "PreferNoSchedule", "NoExecute"])
    .optional()
    .meta({ description: "Taint effect; every effect when left out." }),
});

/** Where the bot's and the database's pods may run. */
export const placementSchema = z
  .strictObject({
    region: z
      .string()
      .min(1)
      .max(63)
      .optional()
      .meta({ description: "Value that the nodes' label topology.kubernetes.io/region must have." }),
    nodeSelector: z
      .record(z.string().max(316), z.string().max(63))
      .optional()
      .meta({ maxProperties: 8, description: "Labels that the nodes must have." }),
    tolerations: z.array(toleration).max(8).optional().meta({ description: "Taints that are tolerated." }),
  })
  .meta({ description: "Which nodes the guild's pods may run on, those of its bot and of its database." });
