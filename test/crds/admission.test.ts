import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { generatedFiles } from "../../crds/generate.ts";
import { type ControlPlane, startControlPlane } from "../cluster/control-plane.ts";

const guilds = "/apis/dkp.dev/v1alpha1/namespaces/default/dkpguilds";
let plane: ControlPlane;

beforeAll(async () => {
  plane = await startControlPlane();
  const crd = parse(generatedFiles()["dkpguilds.yaml"] ?? "");
  const made = await plane.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd);
  expect(made.body["message"]).toBeUndefined();
  await vi.waitFor(async () => expect((await plane.call("GET", guilds)).status).toBe(200));
});

afterAll(() => plane?.stop());

type Spec = Record<string, unknown>;
type Schema = { properties?: Record<string, Schema>; items?: Schema };
type Definition = {
  spec: { versions: [{ schema: { openAPIV3Schema: { properties: { spec: Required<Schema> } } } }] };
};

/** The names of all fields, deep down too. */
function fieldsOf(properties: Record<string, Schema>): string[] {
  return Object.entries(properties).flatMap(([name, schema]) => [
    name,
    ...fieldsOf({ ...schema.properties, ...schema.items?.properties }),
  ]);
}

function guild(name: string, spec: Spec) {
  return {
    apiVersion: "dkp.dev/v1alpha1",
    kind: "DkpGuild",
    metadata: { name },
    spec: { guildId: "123456789012345678", discord: { tokenSecretRef: { name: "token" } }, ...spec },
  };
}

const create = (body: unknown) => plane.call("POST", `${guilds}?fieldValidation=Strict`, body);
const change = (name: string, patch: unknown) =>
  plane.call("PATCH", `${guilds}/${name}?fieldValidation=Strict`, patch, "application/merge-patch+json");

describe("what is refused at admission, and in which words", () => {
  const token = { tokenSecretRef: { name: "token" } };
  test.each<[string, Spec, RegExp]>([
    [
      "a guildId that is no snowflake",
      { guildId: "my-guild" },
      /guildId.*must be a Discord id: 17 to 20 digits in quotes/,
    ],
    ["a guildId without quotes", { guildId: 123_456_789 }, /guildId.*must be of type string/],
    ["neither token nor gateway", { discord: {} }, /set exactly one of tokenSecretRef and gatewayRef/],
    [
      "both token and gateway",
      { discord: { ...token, gatewayRef: { name: "g" } } },
      /set exactly one of tokenSecretRef/,
    ],
    [
      "a gateway, which this version has not",
      { discord: { gatewayRef: { name: "g" } } },
      /set tokenSecretRef.*instead/,
    ],
    ["an unknown field", { bots: {} }, /unknown field "spec.bots"/],
    ["an unknown field deep down", { bot: { replica: 2 } }, /unknown field "spec.bot.replica"/],
    ["too many replicas", { bot: { replicas: 11 } }, /spec.bot.replicas.*less than or equal to 10/],
    [
      "a shared database in no Cluster",
      { database: { mode: "shared" } },
      /set clusterRef with mode shared, and only then/,
    ],
    [
      "a dedicated database in another's Cluster",
      { database: { clusterRef: { name: "pg" } } },
      /set clusterRef with mode shared, and only then/,
    ],
    [
      "an external database without a connection string",
      { database: { mode: "external" } },
      /set secretRef with mode external, and only then/,
    ],
    [
      "settings of a server that is not the guild's",
      { database: { mode: "shared", clusterRef: { name: "pg" }, parameters: { work_mem: "8MB" } } },
      /belong to mode dedicated: remove them/,
    ],
    [
      "a parameter that the operator decides",
      { database: { parameters: { max_connections: "9" } } },
      /are set by the operator or CloudNativePG/,
    ],
    [
      "a Pooler that starves the pods",
      { bot: { replicas: 5 }, database: { pooler: {} } },
      /pooler is too small: instances x poolSize must be at least 8 x/,
    ],
    [
      "two sources of the PostgreSQL image",
      { database: { image: "pg:16", imageCatalogRef: { name: "catalog" } } },
      /set image or imageCatalogRef, not both/,
    ],
    [
      "an account on an external server",
      { database: { mode: "external", secretRef: { name: "pg" }, devAccess: "readOnly" } },
      /leave devAccess out/,
    ],
    [
      "a schedule of five fields",
      { backup: { schedule: "0 2 * * *", objectStore: { bucket: "raids", secretRef: { name: "s3" } } } },
      /cron expression of six fields, seconds first/,
    ],
    [
      "a retention without a unit",
      { backup: { retention: "30", objectStore: { bucket: "raids", secretRef: { name: "s3" } } } },
      /number of days, weeks or months, for example 30d/,
    ],
    [
      "an object store that is no URL",
      { backup: { objectStore: { endpoint: "s3.example.com", bucket: "raids", secretRef: { name: "s3" } } } },
      /must be a URL without a path/,
    ],
    [
      "backups of a server that is not the guild's",
      {
        database: { mode: "external", secretRef: { name: "pg" } },
        backup: { objectStore: { bucket: "raids", secretRef: { name: "s3" } } },
      },
      /backup belongs to database.mode dedicated/,
    ],
    ["a last backup to nowhere", { deletionPolicy: "Snapshot" }, /deletionPolicy Snapshot needs somewhere/],
    [
      "hibernation of a server that is not the guild's",
      { hibernate: true, database: { mode: "external", secretRef: { name: "pg" } } },
      /hibernate belongs to database.mode dedicated/,
    ],
    ["no instances", { database: { instances: 0 } }, /spec.database.instances.*greater than or equal to 1/],
    ["a size that is none", { database: { storage: { size: "big" } } }, /must be a size such as "10Gi"/],
    ["a size of nothing", { database: { storage: { size: "0" } } }, /must be a size such as "10Gi"/],
    [
      "a variable of the operator",
      { bot: { env: [{ name: "DATABASE_URL", value: "x" }] } },
      /the operator sets this variable itself/,
    ],
    [
      "a variable that is no name",
      { bot: { env: [{ name: "A-B" }] } },
      /must be letters, digits and underscores/,
    ],
    ["a variable twice", { bot: { env: [{ name: "A" }, { name: "A" }] } }, /Duplicate value/],
    ["an unknown mode", { mode: "asleep" }, /supported values: "active", "readOnly", "maintenance"/],
    ["an unknown policy", { deletionPolicy: "Keep" }, /supported values: "Retain", "Snapshot", "Delete"/],
    [
      "three decimals",
      { rules: { auctions: { minimumBid: "1.234" } } },
      /decimal in quotes with at most two decimals/,
    ],
    ["a bid of nothing", { rules: { auctions: { minimumBid: 0 } } }, /more than 0/],
    ["a float", { rules: { auctions: { increment: 2.5 } } }, /must be.*integer/],
    [
      "more start points than the pool shows",
      { rules: { pools: [{ name: "dkp", startPoints: "1.5" }] } },
      /raise decimals, or round/,
    ],
    ["two pools of one name", { rules: { pools: [{ name: "dkp" }, { name: "dkp" }] } }, /Duplicate value/],
    [
      "an officer role that is a name",
      { rules: { roles: { officers: ["Officers"] } } },
      /must be a Discord id/,
    ],
    ["a made-up time zone", { rules: { timeZone: "CET+1" } }, /IANA time zone such as Europe\/Berlin/],
    ["a locale that is none", { rules: { locale: "English" } }, /language tag such as en/],
    [
      "resources that are no quantity",
      { bot: { resources: { limits: { memory: "lots" } } } },
      /must be a quantity such as/,
    ],
  ])("%s", async (_, spec, sentence) => {
    const { status, body } = await create(guild("refused", spec));
    expect(body["message"]).toMatch(sentence);
    expect(status === 422 || status === 400).toBe(true);
  });

  test("an unknown field in a server-side apply", async () => {
    const apply = "application/apply-patch+yaml";
    const path = `${guilds}/refused?fieldManager=test`;
    const { status, body } = await plane.call("PATCH", path, guild("refused", { bots: {} }), apply);
    expect(body["message"]).toMatch(/spec.bots: field not declared in schema/);
    expect(status).toBeGreaterThanOrEqual(400);
  });

  test.each(["a".repeat(41), "1guild", "my.guild"])("the name %s", async (name) => {
    const { body } = await create(guild(name, {}));
    expect(body["message"]).toMatch(/metadata.name must have at most 40 lower-case letters/);
  });
});

describe("what may not change", () => {
  beforeAll(async () => {
    const spec = { database: { storage: { size: "10Gi", storageClass: "fast" } } };
    expect((await create(guild("fixed", spec))).status).toBe(201);
  });

  test.each<[string, unknown, RegExp]>([
    ["guildId", { guildId: "223456789012345678" }, /guildId is immutable/],
    ["storage shrinks", { database: { storage: { size: "9Gi" } } }, /storage never shrinks/],
    ["storageClass", { database: { storage: { storageClass: "slow" } } }, /storageClass is immutable/],
    ["storageClass goes", { database: { storage: { storageClass: null } } }, /storageClass is immutable/],
  ])("%s", async (_, spec, sentence) => {
    const { status, body } = await change("fixed", { spec });
    expect(body["message"]).toMatch(sentence);
    expect(status).toBe(422);
  });

  test("storage may grow, in another unit too", async () => {
    expect((await change("fixed", { spec: { database: { storage: { size: "11000Mi" } } } })).status).toBe(
      200,
    );
  });
});

const text = (file: string) => readFileSync(new URL(`../../config/samples/${file}`, import.meta.url), "utf8");

describe("what is accepted", () => {
  test.each(["guild.yaml", "guild-full.yaml", "guild-shared.yaml", "guild-external.yaml", "backup.yaml"])(
    "the sample %s",
    async (file) => {
      const samples = parseAllDocuments(text(file)).map((document) => document.toJS());
      const sample = samples.find(({ kind }) => kind === "DkpGuild");
      sample.metadata.namespace = "default";
      const { body } = await create(sample);
      expect(body["message"]).toBeUndefined();
    },
  );

  test("and between them the samples set every field that can be set", () => {
    const { properties } = (parse(generatedFiles()["dkpguilds.yaml"] ?? "") as Definition).spec.versions[0]
      .schema.openAPIV3Schema.properties.spec;
    const said = ["guild-full.yaml", "guild-shared.yaml", "guild-external.yaml"].map(text).join("\n");
    const missing = fieldsOf(properties).filter((name) => !new RegExp(`\\b${name}:`).test(said));
    expect(missing).toEqual(["gatewayRef"]);
  });

  test("a new guild is in progress for kstatus, and has no rules that nobody set", async () => {
    const { body } = await create(guild("fresh", {}));
    expect(body).toMatchObject({ status: { observedGeneration: -1 }, spec: { bot: { replicas: 2 } } });
    expect(body["spec"]).not.toHaveProperty("rules");
  });

  test("it can be scaled like a Deployment, within its bounds", async () => {
    await create(guild("scaled", {}));
    const scale = (replicas: number) =>
      plane.call("PATCH", `${guilds}/scaled/scale`, { spec: { replicas } }, "application/merge-patch+json");
    expect((await scale(5)).status).toBe(200);
    expect((await plane.call("GET", `${guilds}/scaled`)).body).toMatchObject({
      spec: { bot: { replicas: 5 } },
    });
    expect((await scale(50)).status).toBe(422);
  });

  test("a table shows what one asks for first", async () => {
    const { body } = await plane.call(
      "GET",
      "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/dkpguilds.dkp.dev",
    );
    const spec = body["spec"] as {
      versions: { additionalPrinterColumns: { name: string; priority?: number }[] }[];
    };
    const shown = spec.versions[0]?.additionalPrinterColumns.filter(
      ({ priority }) => priority === undefined || priority === 0,
    );
    expect(shown?.map(({ name }) => name)).toEqual(["Guild", "Phase", "Ready", "Leader", "DB", "Age"]);
  });
});
