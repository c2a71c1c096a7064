import * as z from "zod";

/** Key of the ConfigMap `<guild>-report` under which the report is written, as JSON. */
export const reportKey = "report.json";

const message = z.string().max(512).default("");

/**
 * What the bot's leader tells the operator, through the ConfigMap `<guild>-report`. Written only when something changes. Read
 * leniently, so that a newer bot may say more than this operator knows.
 */
export const reportSchema = z.object({
  version: z.literal(1),
  /** Name of the pod that leads. */
  leader: z.string().max(253),
  /** Term of the leader: a counter in PostgreSQL, as a number. */
  term: z.int().min(0),
  /** When this pod began to lead, RFC 3339. */
  since: z.string().max(40),
  botVersion: z.string().max(128),
  discord: z.object({
    state: z.enum([
      "Connected",
      "Connecting",
      "TokenInvalid",
      "IntentsRefused",
      "NotInGuild",
      "IdentifyBudget",
      "Unreachable",
    ]),
    message,
  }),
  commands: z.object({
    state: z.enum(["Registered", "Pending", "Failed"]),
    /** Hash of the registered command definitions. */
    hash: z.string().max(128).default(""),
    count: z.int().min(0).default(0),
    message,
  }),
  database: z.object({ state: z.enum(["Ok", "Unreachable", "WrongLedger"]), message }),
  /** The ledger's head some minutes ago at most, and at once when the report is written for another reason. */
  ledger: z.object({ version: z.int().min(0), hash: z.string().max(128) }).optional(),
  /** The last restore that the ledger or the configuration knows: its jobs stand still until an officer confirms. */
  restore: z
    .object({ id: z.string().max(64), state: z.enum(["awaitingConfirmation", "confirmed"]) })
    .optional(),
});

export type Report = z.infer<typeof reportSchema>;
