import * as z from "zod";
import { checked, secretKey } from "./schema.ts";

const cronSentence =
  'must be a cron expression of six fields, seconds first, for example "0 0 2 * * *" for two in the morning';

const objectStore = z
  .strictObject({
    endpoint: z
      .string()
      .max(253)
      .optional()
      .meta(
        checked("URL of the S3 server; that of AWS when left out.", {
          rule: "self.matches('^https?://[^/]+$')",
          message: 'must be a URL without a path, for example "https://s3.example.com"',
        }),
      ),
    bucket: z.string().min(3).max(63).meta({ description: "Bucket; it must exist." }),
    path: z
      .string()
      .max(200)
      .default("")
      .meta({ description: "Folder within the bucket; namespace and name of the guild when left out." }),
    region: z.string().max(63).optional().meta({ description: "Region, where the server asks for one." }),
    secretRef: z
      .strictObject({
        name: z
          .string()
          .min(1)
          .max(253)
          .meta({ description: "Name of the Secret, in the guild's own namespace." }),
        accessKeyIdKey: z
          .string()
          .min(1)
          .max(253)
          .default("ACCESS_KEY_ID")
          .meta({ description: "Key of the access key's id." }),
        secretAccessKeyKey: z
          .string()
          .min(1)
          .max(253)
          .default("ACCESS_SECRET_KEY")
          .meta({ description: "Key of the access key itself." }),
      })
      .meta({ description: "Secret with the credentials." }),
    endpointCA: secretKey("ca.crt", "Name of the Secret.").optional().meta({
      description: "Secret with the authority of the server's certificate, where it is not a public one.",
    }),
    encryption: z.enum(["none", "AES256", "aws:kms"]).default("AES256").meta({
      description: "Encryption that the server is asked for, of base backups and of the log.",
    }),
  })
  .meta({ description: "Where backups and the write-ahead log go: any S3-compatible server." });

/** Continuous archiving and base backups of the guild's own Cluster. */
export const backupSchema = z
  .strictObject({
    enabled: z
      .boolean()
      .default(true)
      .meta({ description: "Take backups. What was taken before stays where it is." }),
    schedule: z
      .string()
      .max(100)
      .optional()
      .meta(
        checked(
          "When base backups are taken: six cron fields, seconds first, UTC; once a day at a time that is spread over the guilds when left out. The log is archived all the time.",
          { rule: "self.matches('^([^ ]+ ){5}[^ ]+$')", message: cronSentence },
        ),
      ),
    retention: z
      .string()
      .max(8)
      .default("30d")
      .meta(
        checked("How far back one can restore, for example 30d, 8w or 12m.", {
          rule: "self.matches('^[1-9][0-9]*[dwm]$')",
          message: "must be a number of days, weeks or months, for example 30d",
        }),
      ),
    objectStore,
  })
  .meta({ description: "Backups to an object store, with mode dedicated; none when left out." });
