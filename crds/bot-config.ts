import { z } from "zod";
import { rulesSchema } from "./rules.ts";

/** What the bot accepts: everything, reading commands only, or nothing but an explanation. */
export const modeSchema = z.enum(["active", "readOnly", "maintenance"]);

export const maintenanceSchema = z.strictObject({
  message: z
    .string()
    .min(1)
    .max(500)
    .optional()
    .meta({ description: "What members are told while the guild is in maintenance." }),
});

/** The mounted `config.yaml` of a bot: the mode, and the rules that Git sets (only those). The bot watches it and needs no restart. */
export const botConfigSchema = z.strictObject({
  mode: modeSchema.default("active"),
  maintenance: maintenanceSchema.optional(),
  rules: rulesSchema.prefault({}),
});

export type BotConfig = z.infer<typeof botConfigSchema>;
