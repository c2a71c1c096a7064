import * as z from "zod";
import { rulesSchema } from "./rules.ts";
import { snowflake } from "./schema.ts";

/** What the bot accepts: everything, reading commands only, or nothing but an explanation. */
export const modeSchema = z.enum(["active", "readOnly", "maintenance"]);

export const maintenanceSchema = z.strictObject({
  message: z
    .string()
    .min(1)
    .max(500)
    .optional()
    .meta({ description: "What members are told while the guild is in maintenance." }),
  channel: snowflake("Channel told once when maintenance begins and once when it ends.").optional(),
});

/**
 * That this database is a restore, as the operator says it. Until the ledger holds a `RestoreConfirmed` for `id` the bot
 * behaves as in maintenance and its jobs stand still.
 */
const restoreSchema = z.strictObject({
  /** The uid of the DkpRestore. */
  id: z.string().min(1).max(64),
  /** The point in time that was restored to, RFC 3339 (told to people, never computed with); the newest there was when left out. */
  target: z.string().min(1).max(40).optional(),
  /** Name of the Cluster that it was restored from. */
  from: z.string().min(1).max(253),
  /** The abandoned ledger's last known head. */
  head: z
    .strictObject({
      version: z.int().min(0),
      /** Hex. */
      hash: z.string().regex(/^[0-9a-f]{64}$/),
    })
    .optional(),
});

/** The mounted `config.yaml` of a bot: the mode, and the rules that Git sets (only those). The bot watches it and needs no restart. */
export const botConfigSchema = z.strictObject({
  mode: modeSchema.default("active"),
  maintenance: maintenanceSchema.optional(),
  restore: restoreSchema.optional(),
  rules: rulesSchema.prefault({}),
});

export type BotConfig = z.infer<typeof botConfigSchema>;
