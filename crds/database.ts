import * as z from "zod";
import { quantity, resourcesSchema, sizeSchema } from "./quantity.ts";
import { checked, secretKeyRef } from "./schema.ts";

const storage = z
  .strictObject({
    size: quantity.default("10Gi").meta(
      checked(
        "Size of each volume. It may grow, never shrink.",
        {
          rule: "isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))",
          message: 'must be a size such as "10Gi"',
        },
        {
          rule: "!isQuantity(self) || !isQuantity(oldSelf) || quantity(self).compareTo(quantity(oldSelf)) >= 0",
          message: "storage never shrinks: write the present size or a larger one",
        },
      ),
    ),
    storageClass: z
      .string()
      .min(1)
      .max(253)
      .optional()
      .meta({ description: "StorageClass of the volumes; the cluster's default when left out. Immutable." }),
  })
  .prefault({})
  .meta(
    checked("The database's volumes.", {
      rule: "has(self.storageClass) == has(oldSelf.storageClass) && (!has(self.storageClass) || self.storageClass == oldSelf.storageClass)",
      message: "storageClass is immutable: put back the present one (or remove it, if it was not set)",
    }),
  );

const pooler = z
  .strictObject({
    instances: z.int().min(1).max(5).default(2).meta({ description: "PgBouncer pods, 1 to 5." }),
    poolSize: z
      .int()
      .min(1)
      .max(100)
      .default(20)
      .meta({ description: "Connections to PostgreSQL that each pod keeps for the bot." }),
  })
  .meta({
    description:
      "PgBouncer between bot and database, in session mode; the bot connects directly when left out. With mode dedicated only.",
  });

const imageCatalogRef = z
  .strictObject({
    kind: z.enum(["ImageCatalog", "ClusterImageCatalog"]).default("ClusterImageCatalog").meta({
      description: "ImageCatalog in the guild's namespace, or ClusterImageCatalog.",
    }),
    name: z.string().min(1).max(253).meta({ description: "Name of the catalog." }),
    major: z.int().min(14).max(30).default(16).meta({ description: "Major version of PostgreSQL." }),
  })
  .meta({ description: "PostgreSQL image from a catalog of CloudNativePG instead of image." });

/** Parameters that the operator or CloudNativePG decides. */
const fixedParameters = [
  "max_connections",
  "archive_mode",
  "archive_command",
  "listen_addresses",
  "port",
  "ssl",
];

const parameters = z
  .record(z.string().max(64), z.string().max(256))
  .optional()
  .meta({
    maxProperties: 32,
    ...checked(
      "Settings of PostgreSQL, at most 32, for example work_mem: 16MB. They win over those of size.",
      {
        rule: `!self.exists(name, name in [${fixedParameters.map((name) => `'${name}'`).join(", ")}])`,
        message: `${fixedParameters.join(", ")} are set by the operator or CloudNativePG (max_connections follows bot.replicas): leave them out`,
      },
    ),
  });

/** Where a guild's ledger is kept. */
export const databaseSchema = z
  .strictObject({
    mode: z.enum(["dedicated", "shared", "external"]).default("dedicated").meta({
      description:
        "dedicated: a CloudNativePG Cluster of the guild's own; shared: a database and roles of its own in the Cluster that clusterRef names; external: whatever the connection string in secretRef leads to. Immutable.",
    }),
    clusterRef: z
      .strictObject({
        name: z
          .string()
          .min(1)
          .max(63)
          .meta({ description: "Name of the Cluster, in the guild's own namespace." }),
      })
      .optional()
      .meta({
        description: "The CloudNativePG Cluster that holds the database, with mode shared. Immutable.",
      }),
    secretRef: secretKeyRef(
      "Secret with a connection string such as postgres://user:password@host:5432/dkp?sslmode=verify-full, with mode external; TLS is required. A key ca.crt beside it is the authority to trust.",
      "uri",
    ).optional(),
    size: sizeSchema.default("small").meta({
      description:
        "CPU and memory of each PostgreSQL instance and settings that fit them: small 100m and 256Mi, standard 1 and 2Gi, large 2 and 4Gi. With mode dedicated only.",
    }),
    resources: resourcesSchema(
      "CPU and memory of each PostgreSQL instance, instead of what size says.",
    ).optional(),
    instances: z.int().min(1).max(9).default(3).meta({
      description:
        "PostgreSQL instances, 1 to 9: one primary, the others standbys. With mode dedicated only.",
    }),
    storage,
    image: z
      .string()
      .min(1)
      .max(512)
      .optional()
      .meta({ description: "PostgreSQL image; the operator's own choice when left out." }),
    imageCatalogRef: imageCatalogRef.optional(),
    parameters,
    pooler: pooler.optional(),
    devAccess: z.enum(["none", "readOnly", "devSchema"]).default("none").meta({
      description:
        "An account for developers in Secret <guild>-db-developer: readOnly may read what is not personal; devSchema may besides work in a schema dev of its own.",
    }),
  })
  .prefault({})
  .meta({ description: "The guild's PostgreSQL." });

/** Rules over spec.database; on spec, since the API server would hold them against the empty default of database too. */
export const databaseRules = [
  {
    rule: "self.database.mode == oldSelf.database.mode",
    message:
      "database.mode is immutable: put back the present one; to move a database, declare a new DkpGuild and restore into it",
    fieldPath: ".database.mode",
  },
  {
    rule: "(self.database.mode == 'shared') == has(self.database.clusterRef)",
    message:
      "set clusterRef with mode shared, and only then: clusterRef: {name: <CloudNativePG Cluster in this namespace>}",
  },
  {
    rule: "(self.database.mode == 'external') == has(self.database.secretRef)",
    message: "set secretRef with mode external, and only then: secretRef: {name: <Secret>, key: uri}",
  },
  {
    rule: "has(self.database.clusterRef) == has(oldSelf.database.clusterRef) && (!has(self.database.clusterRef) || self.database.clusterRef == oldSelf.database.clusterRef)",
    message: "clusterRef is immutable: put back the present one",
    fieldPath: ".database.clusterRef",
  },
  {
    rule: "self.database.mode == 'dedicated' || (!has(self.database.pooler) && !has(self.database.parameters) && !has(self.database.image) && !has(self.database.imageCatalogRef))",
    message: "pooler, parameters, image and imageCatalogRef belong to mode dedicated: remove them",
  },
  {
    rule: "!has(self.database.pooler) || self.database.pooler.instances * self.database.pooler.poolSize >= 8 * (self.bot.replicas + 1)",
    message:
      "pooler is too small: instances x poolSize must be at least 8 x (bot.replicas + 1), since each pod, and one more while pods are replaced, needs up to 8 connections",
    fieldPath: ".database.pooler",
  },
  {
    rule: "!has(self.database.image) || !has(self.database.imageCatalogRef)",
    message: "set image or imageCatalogRef, not both",
  },
  {
    rule: "self.database.mode != 'external' || self.database.devAccess == 'none'",
    message: "an external database's accounts are its owner's: leave devAccess out",
  },
];
