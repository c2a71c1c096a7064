import * as z from "zod";
import { checked } from "./schema.ts";

const sentence = 'must be a quantity such as "500m", "256Mi" or "10Gi"';

/** A Kubernetes quantity that is not negative. */
export const quantity = z
  .string()
  .max(32)
  .regex(/^[0-9]+([.][0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi)?$/, sentence)
  .meta(
    checked("A Kubernetes quantity.", {
      rule: "isQuantity(self) && !self.startsWith('-')",
      message: sentence,
    }),
  );

const resourceList = z.strictObject({ cpu: quantity.optional(), memory: quantity.optional() });

/** Requests and limits of a container. */
export function resourcesSchema(description: string) {
  return z
    .strictObject({
      requests: resourceList.optional().meta({ description: "What the scheduler sets aside." }),
      limits: resourceList.optional().meta({ description: "What a pod may use at most." }),
    })
    .meta({ description });
}

/** Named sizes of pods, so that nobody need know what a bot or a small PostgreSQL takes. */
export const sizeSchema = z.enum(["small", "standard", "large"]);
