import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import * as kinds from "../../operator/guild/resources.ts";
import type { Operator } from "../../operator/start.ts";
import { type KubeObject, resourcePath } from "../../runtime/kube/object.ts";
import { recording } from "./clients.ts";
import { type Players, botReports, databaseReady, jobsEnd, makeGuild, playOn, podsRun } from "./players.ts";
import { type Scene, openScene } from "./scene.ts";
import type { Status } from "./status.ts";

/** A tenth of them broken, in five ways. */
const count = Number(process.env["BROKEN_GUILDS_OF"] ?? 100);
const space = "raids";
const ways = ["no token", "a taken name", "no database", "a failing migration", "a refused child"] as const;
type Way = (typeof ways)[number];

const numbers = Array.from({ length: count }, (_, index) => index);
const nameOf = (index: number) => `guild-${index}`;
const wayOf = (index: number): Way | undefined =>
  index % 10 === 3 ? ways[Math.floor(index / 10) % ways.length] : undefined;
const broken = new Map(
  numbers.flatMap((index) => {
    const way = wayOf(index);
    return way === undefined ? [] : [[nameOf(index), way] as const];
  }),
);

let scene: Scene;
let operator: Operator;
let writes: { kind: string; name: string }[];
let players: Players;

/** Refuses the ConfigMaps of guilds that are to be refused something, as an admission policy of the cluster's owner may. */
async function refuseSome(): Promise<void> {
  const path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";
  const names = [...broken]
    .filter(([, way]) => way === "a refused child")
    .map(([name]) => `'${name}-config'`);
  const made = await scene.plane.call("POST", path, {
    metadata: { name: "refuse" },
    spec: {
      matchConstraints: {
        resourceRules: [
          { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] },
        ],
      },
      validations: [{ expression: `!(object.metadata.name in [${names.join(",")}])`, message: "not here" }],
    },
  });
  expect(made.status).toBe(201);
  const bound = await scene.plane.call("POST", path.replace("policies", "policybindings"), {
    metadata: { name: "refuse" },
    spec: { policyName: "refuse", validationActions: ["Deny"] },
  });
  expect(bound.status).toBe(201);
  const [first] = names;
  await vi.waitFor(
    async () => {
      const probe = { metadata: { name: first?.replaceAll("'", "") } };
      const path = `${resourcePath(kinds.configMaps, { namespace: space })}?dryRun=All`;
      expect((await scene.plane.call("POST", path, probe)).status).toBe(422);
    },
    { timeout: 30_000 },
  );
}

const isNew = ({ status }: KubeObject & { status?: unknown }) => status === undefined;
const guildOf = ({ metadata }: KubeObject) => metadata.labels?.["dkp.dev/guild"] ?? "";

/** Everybody does their part for every guild, except where that is what is broken. */
async function round(): Promise<void> {
  for (const cluster of (await scene.list(kinds.clusters, space)).filter(isNew))
    if (broken.get(guildOf(cluster)) !== "no database") await databaseReady(scene, space, guildOf(cluster));
  await jobsEnd(scene, space, (job) =>
    broken.get(guildOf(job)) === "a failing migration" ? "Failed" : "Complete",
  );
  for (const deployment of await scene.list(kinds.deployments, space)) {
    const { observedGeneration } = (deployment["status"] ?? {}) as { observedGeneration?: number };
    if (observedGeneration === deployment.metadata.generation) continue;
    await podsRun(scene, space, guildOf(deployment));
    await botReports(scene, space, guildOf(deployment));
  }
}

beforeAll(
  async () => {
    scene = await openScene({ cloudNativePg: true });
    await scene.namespace(space);
    await refuseSome();
    const tokens = numbers.filter((index) => wayOf(index) !== "no token");
    const stringData = Object.fromEntries(tokens.map((index) => [nameOf(index), `token ${index}`]));
    await scene.create(kinds.secrets, space, { metadata: { name: "discord" }, stringData });
    for (const [name, way] of broken)
      if (way === "a taken name")
        await scene.create(kinds.services, space, {
          metadata: { name: `${name}-internal` },
          spec: { ports: [{ port: 80 }] },
        });
    for (const index of numbers) {
      const name = nameOf(index);
      const guildId = `9${index.toString().padStart(17, "0")}`;
      const discord = { tokenSecretRef: { name: "discord", key: name } };
      await scene.create(kinds.guilds, space, makeGuild(name, guildId, { discord }));
    }
    const recorded = recording(await scene.operatorClient());
    writes = recorded.writes;
    operator = scene.startOperator(recorded.client, { recheckMs: 1_000, workers: 16 });
    players = playOn(round);
  },
  120_000 + count * 200,
);

afterAll(async () => {
  await players?.stop();
  await operator?.stop();
  await scene?.stop();
});

async function statuses(): Promise<Map<string, Status>> {
  const live = await scene.list(kinds.guilds, space);
  return new Map(live.map((guild) => [guild.metadata.name, (guild["status"] ?? {}) as Status]));
}

const reasonOf = (status: Status | undefined) =>
  status?.conditions?.find(({ type }) => type === "Ready")?.reason ?? "";

describe(`of ${count} guilds a tenth is broken, in five ways:`, () => {
  const patience = { timeout: 60_000 + count * 600, interval: 500 };

  test("the others all come up", { timeout: patience.timeout }, async () => {
    await expect
      .poll(async () => {
        const all = await statuses();
        return numbers.filter(
          (index) => wayOf(index) === undefined && all.get(nameOf(index))?.phase !== "Ready",
        );
      }, patience)
      .toEqual([]);
  });

  test("each of the broken says what it lacks", { timeout: patience.timeout }, async () => {
    const said: Record<Way, RegExp> = {
      "no token": /^SecretMissing$/,
      "a taken name": /^NameTaken$/,
      "no database": /^(Creating|DatabaseNotReady)$/,
      "a failing migration": /^(MigrationFailed|Migrating)$/,
      "a refused child": /^ApplyFailed$/,
    };
    await vi.waitFor(async () => {
      const all = await statuses();
      for (const [name, way] of broken) expect(reasonOf(all.get(name)), `${name}: ${way}`).toMatch(said[way]);
    }, patience);
  });

  test(
    "a change of a good one arrives while the broken go on failing, and no other good one is written to",
    { timeout: patience.timeout },
    async () => {
      const before = writes.length;
      await scene.patch(kinds.guilds, space, nameOf(0), { spec: { bot: { replicas: 3 } } });
      await expect
        .poll(
          async () => (await scene.part(kinds.deployments, space, `${nameOf(0)}-bot`))["replicas"],
          patience,
        )
        .toBe(3);
      const others = writes
        .slice(before)
        .filter(
          ({ kind, name }) => kind !== "Event" && !name.startsWith(`${nameOf(0)}-`) && name !== nameOf(0),
        )
        .filter(
          ({ name }) => ![...broken.keys()].some((each) => name === each || name.startsWith(`${each}-`)),
        );
      expect(others).toEqual([]);
    },
  );
});
