import * as z from "zod";
import { amount, checked, positiveAmount, snowflake } from "./schema.ts";

const poolName = z
  .string()
  .min(1)
  .max(32)
  .regex(
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
    "must be lower-case letters, digits and dashes, for example dkp or main-raid",
  )
  .meta(
    checked("Name of the pool as commands show it.", {
      rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
      message: "must be lower-case letters, digits and dashes, for example dkp or main-raid",
    }),
  );

const startPointsSentence =
  "startPoints has more decimals than the pool shows: raise decimals, or round startPoints";

const pool = z
  .strictObject({
    name: poolName,
    decimals: z
      .int()
      .min(0)
      .max(2)
      .optional()
      .meta({ description: "Decimals that the pool shows and rounds to, 0 to 2; 0 when left out." }),
    startPoints: amount("Points that a member starts with, once.").optional(),
  })
  .refine(({ decimals, startPoints }) => {
    const fraction = String(startPoints ?? 0).split(".")[1] ?? "";
    return fraction.length <= (decimals ?? 0);
  }, startPointsSentence)
  .meta(
    checked("A pool of points.", {
      rule:
        "!has(self.startPoints) || type(self.startPoints) == int || !self.startPoints.contains('.') || " +
        "size(self.startPoints.split('.')[1]) <= (has(self.decimals) ? self.decimals : 0)",
      message: startPointsSentence,
    }),
  );

const antiSnipe = z
  .strictObject({
    windowSeconds: z.int().min(3).max(600).optional().meta({
      description: "A valid bid with less than this left extends the auction, in seconds.",
    }),
    extensionSeconds: z
      .int()
      .min(1)
      .max(600)
      .optional()
      .meta({ description: "By how much such a bid extends, in seconds." }),
    maxExtensions: z
      .int()
      .min(0)
      .max(100)
      .optional()
      .meta({ description: "How many times at most; 0 switches extensions off." }),
  })
  .meta({ description: "Extensions for late bids." });

const auctions = z
  .strictObject({
    minimumBid: positiveAmount("Lowest first bid.").optional(),
    increment: positiveAmount(
      "Steps in which bids climb from the lowest one: a bid must reach a step that no earlier bid reached.",
    ).optional(),
    durationSeconds: z
      .int()
      .min(10)
      .max(604_800)
      .optional()
      .meta({ description: "How long an auction runs, in seconds, 10 to 604800 (7 days)." }),
    antiSnipe: antiSnipe.optional(),
  })
  .meta({ description: "How auctions run." });

const roles = z
  .strictObject({
    officers: z.array(snowflake("Discord id of a role.")).max(25).optional().meta({
      description: "Roles whose members may use officer commands.",
      "x-kubernetes-list-type": "set",
    }),
  })
  .meta({ description: "Who may do what." });

const channels = z
  .strictObject({
    auctions: snowflake("Channel where auctions are posted.").optional(),
    results: snowflake("Channel where results are posted.").optional(),
  })
  .meta({ description: "Where the bot posts." });

const timeZoneSentence = "must be an IANA time zone such as Europe/Berlin or UTC";
const localeSentence = "must be a language tag such as en, de or en-GB";

/**
 * The guild's rules. Every field is optional: what a DkpGuild sets belongs to Git and is read-only in Discord, the rest is changed by
 * `/dkp-admin config`. So nothing here has a default; the bot knows what holds when neither side says anything.
 */
export const rulesSchema = z
  .strictObject({
    pools: z
      .array(pool)
      .min(1)
      .max(6)
      .refine(
        (pools) => new Set(pools.map(({ name }) => name)).size === pools.length,
        "two pools have the same name: rename one",
      )
      .optional()
      .meta({
        description: "Pools of points.",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
      }),
    auctions: auctions.optional(),
    roles: roles.optional(),
    channels: channels.optional(),
    locale: z
      .string()
      .max(16)
      .regex(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$/, localeSentence)
      .optional()
      .meta(
        checked("Language of posts.", {
          rule: "self.matches('^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$')",
          message: localeSentence,
        }),
      ),
    timeZone: z
      .string()
      .max(64)
      .regex(/^(UTC|[A-Za-z_]+(\/[A-Za-z0-9_+-]+){1,2})$/, timeZoneSentence)
      .optional()
      .meta(
        checked("Time zone of dates and schedules.", {
          rule: "self.matches('^(UTC|[A-Za-z_]+(/[A-Za-z0-9_+-]+){1,2})$')",
          message: timeZoneSentence,
        }),
      ),
  })
  .meta({
    description:
      "Rules that Git owns: what is set here is read-only in Discord, what is left out is changed there with /dkp-admin config. Takes effect without a restart.",
  });
