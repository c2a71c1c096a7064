import * as z from "zod";
import { group, objectRules, specSchema, version } from "./dkp-guild.ts";
import { restoreRules, restoreSpecSchema, restoreStatusSchema } from "./dkp-restore.ts";
import { statusSchema } from "./status.ts";

export type Schema = {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  minimum?: number;
  maximum?: number;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: Schema | boolean;
  [keyword: string]: unknown;
};

/** A JSON schema of zod's as the structural schema that Kubernetes accepts: pruning instead of additionalProperties: false. */
function structural(schema: Schema): Schema {
  const { additionalProperties, anyOf, pattern, ...rest } = schema;
  const kept: Schema = { ...rest };
  // Structural schemas know no rules for the names of a map.
  delete kept["propertyNames"];
  delete kept["$schema"];
  if (anyOf !== undefined && rest["x-kubernetes-int-or-string"] === undefined) {
    throw new Error(`a union cannot be expressed in a CustomResourceDefinition: ${JSON.stringify(anyOf)}`);
  }
  // A pattern would be refused as "should match '^…$'"; the CEL rule beside it says the same in a sentence.
  if (pattern !== undefined && rest["x-kubernetes-validations"] === undefined) {
    throw new Error(`a pattern needs a CEL rule with a sentence beside it: ${JSON.stringify(pattern)}`);
  }
  if (typeof additionalProperties === "object") kept.additionalProperties = structural(additionalProperties);
  if (rest.properties !== undefined) {
    kept.properties = Object.fromEntries(
      Object.entries(rest.properties).map(([name, property]) => [name, structural(property)]),
    );
  }
  if (rest.items !== undefined) kept.items = structural(rest.items);
  if (rest.type === "integer" && rest.minimum === Number.MIN_SAFE_INTEGER) delete kept.minimum;
  if (rest.type === "integer" && rest.maximum === Number.MAX_SAFE_INTEGER) delete kept.maximum;
  if (rest.type === "integer") kept["format"] = "int64";
  return kept;
}

/** The structural schema of `spec` or `status`, as it stands in the CustomResourceDefinition. */
export function openApiSchema(schema: z.ZodType): Schema {
  return structural(z.toJSONSchema(schema, { target: "openapi-3.0", io: "input" }) as Schema);
}

const printerColumns = [
  { name: "Guild", type: "string", jsonPath: ".spec.guildId" },
  { name: "Phase", type: "string", jsonPath: ".status.phase" },
  { name: "Ready", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
  { name: "Leader", type: "string", jsonPath: ".status.leader.pod" },
  { name: "DB", type: "string", jsonPath: ".status.database.summary" },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  { name: "Pods", type: "integer", jsonPath: ".status.readyReplicas", priority: 1 },
  { name: "Mode", type: "string", jsonPath: ".spec.mode", priority: 1 },
  { name: "Primary", type: "string", jsonPath: ".status.database.primary", priority: 1 },
  { name: "Backup", type: "date", jsonPath: ".status.backup.lastSuccess", priority: 1 },
  { name: "Rollout", type: "string", jsonPath: ".status.rollout.state", priority: 1 },
  { name: "CPU", type: "string", jsonPath: ".status.footprint.cpu", priority: 1 },
  { name: "Memory", type: "string", jsonPath: ".status.footprint.memory", priority: 1 },
  { name: "Storage", type: "string", jsonPath: ".status.footprint.storage", priority: 1 },
  { name: "Image", type: "string", jsonPath: ".status.image", priority: 1 },
  {
    name: "Message",
    type: "string",
    jsonPath: '.status.conditions[?(@.type=="Ready")].message',
    priority: 1,
  },
];

type Column = { name: string; type: string; jsonPath: string; priority?: number };

type Definition = {
  kind: string;
  plural: string;
  shortNames: string[];
  description: string;
  columns: Column[];
  subresources: object;
  rules: object[];
  spec: z.ZodType;
  status: z.ZodType;
};

function definition(of: Definition): Record<string, unknown> {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${of.plural}.${group}`, labels: { "app.kubernetes.io/part-of": "dkp-operator" } },
    spec: {
      group,
      scope: "Namespaced",
      names: {
        kind: of.kind,
        listKind: `${of.kind}List`,
        plural: of.plural,
        singular: of.kind.toLowerCase(),
        shortNames: of.shortNames,
        categories: ["dkp"],
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          additionalPrinterColumns: of.columns,
          subresources: of.subresources,
          schema: {
            openAPIV3Schema: {
              type: "object",
              description: of.description,
              required: ["spec"],
              "x-kubernetes-validations": of.rules,
              properties: {
                apiVersion: { type: "string" },
                kind: { type: "string" },
                metadata: { type: "object" },
                spec: openApiSchema(of.spec),
                // kstatus takes an object without status for finished; with this it is in progress from the first moment.
                status: { ...openApiSchema(of.status), default: { observedGeneration: -1 } },
              },
            },
          },
        },
      ],
    },
  };
}

/** The CustomResourceDefinition of DkpGuild as a plain object. */
export function guildDefinition(): Record<string, unknown> {
  return definition({
    kind: "DkpGuild",
    plural: "dkpguilds",
    shortNames: ["guild", "guilds"],
    description: "A raiding guild: a Discord bot of its own with a PostgreSQL of its own.",
    columns: printerColumns,
    subresources: {
      status: {},
      scale: {
        specReplicasPath: ".spec.bot.replicas",
        statusReplicasPath: ".status.replicas",
        labelSelectorPath: ".status.selector",
      },
    },
    rules: objectRules,
    spec: specSchema,
    status: statusSchema,
  });
}

const restoreColumns: Column[] = [
  { name: "Guild", type: "string", jsonPath: ".spec.guildRef.name" },
  { name: "Phase", type: "string", jsonPath: ".status.phase" },
  { name: "Target", type: "string", jsonPath: ".spec.targetTime" },
  { name: "Cluster", type: "string", jsonPath: ".status.cluster" },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  {
    name: "Message",
    type: "string",
    jsonPath: '.status.conditions[?(@.type=="Ready")].message',
    priority: 1,
  },
];

/** The CustomResourceDefinition of DkpRestore as a plain object. */
export function restoreDefinition(): Record<string, unknown> {
  return definition({
    kind: "DkpRestore",
    plural: "dkprestores",
    shortNames: ["restore", "restores"],
    description:
      "Takes a guild's database back to a point in time, once: into a new Cluster, to which the bot is then moved.",
    columns: restoreColumns,
    subresources: { status: {} },
    rules: restoreRules,
    spec: restoreSpecSchema,
    status: restoreStatusSchema,
  });
}
