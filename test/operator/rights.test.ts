import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { botEnvironment, databaseEnvironment, discordEnvironment } from "../../bot/config.ts";
import { reservedEnvironment } from "../../crds/reserved-environment.ts";
import * as kinds from "../../operator/guild/resources.ts";
import type { Call } from "../cluster/control-plane.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { everybodyPlays, makeGuild, makeToken } from "./players.ts";
import { type Scene, openScene } from "./scene.ts";
import { reachesPhase } from "./status.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const space = "space";
let scene: Scene;

type Entry = { name: string; value?: string };
type Container = { name: string; env: Entry[]; resources: object; volumeMounts: { name: string }[] };
type Template = { metadata: object; spec: { initContainers?: Container[]; containers: Container[] } };
const templates: Record<string, Template> = {};

beforeAll(async () => {
  scene = await openScene({ cloudNativePg: true });
  await scene.create({ ...kinds.namespaces }, space, {
    metadata: { name: space, labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
  });
  const operator = scene.startOperator(await scene.operatorClient());
  await makeToken(scene, space);
  const env = [{ name: "EXTRA", value: "1" }];
  for (const [name, guildId, key] of [
    ["watch", "700000000000000001", "token"],
    ["other", "700000000000000002", "another"],
  ] as const) {
    const ids = {
      applicationIdSecretRef: { name: "discord", key: "token" },
      tokenSecretRef: { name: "discord", key },
    };
    await scene.create(kinds.guilds, space, makeGuild(name, guildId, { discord: ids, bot: { env } }));
    const players = everybodyPlays(scene, space, name);
    await reachesPhase(scene, space, name, "Ready");
    await players.stop();
  }
  await operator.stop();
  const jobs = (await scene.list(kinds.jobs, space)) as unknown as { spec: { template: Template } }[];
  for (const { spec } of jobs) templates["migration"] = spec.template;
  const bot = await scene.part(kinds.deployments, space, "watch-bot");
  templates["bot"] = bot["template"] as Template;
});

afterAll(() => scene?.stop());

function container(name: string): Container | undefined {
  const specs = Object.values(templates).map(({ spec }) => spec);
  return specs
    .flatMap(({ initContainers = [], containers }) => [...initContainers, ...containers])
    .find((each) => each.name === name);
}

const mounts = (which: string) => container(which)?.volumeMounts.map(({ name }) => name);

function variables(which: string): Record<string, string> {
  const entries = container(which)?.env ?? [];
  return Object.fromEntries(entries.map(({ name, value = "x" }) => [name, value]));
}

type Rule = { apiGroups?: string[]; resources?: string[]; resourceNames?: string[]; verbs: string[] };

/** `group/resource [names]: verbs`, sorted; without what Kubernetes lets everybody do: ask about himself. */
function sentences(rules: Rule[]): string[] {
  const asked = /^(authorization|authentication)\.k8s\.io\//;
  return rules
    .flatMap(({ apiGroups = [], resources = [], resourceNames = [], verbs }) =>
      apiGroups.flatMap((group) =>
        resources.map((resource) => {
          const names = resourceNames.length === 0 ? "" : ` [${resourceNames.join(",")}]`;
          return `${group === "" ? "" : `${group}/`}${resource}${names}: ${verbs.toSorted().join(",")}`;
        }),
      ),
    )
    .filter((sentence) => !asked.test(sentence))
    .toSorted();
}

async function rightsIn(call: Call, namespace: string): Promise<string[]> {
  const path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
  const { body } = await call("POST", path, { spec: { namespace } });
  return sentences((body["status"] as { resourceRules: Rule[] }).resourceRules);
}

describe("pods", () => {
  test.each(["bot", "migration"])("of the %s pass Pod Security restricted", async (which) => {
    const { metadata, spec } = templates[which] ?? { metadata: {}, spec: {} };
    const pod = { metadata: { ...metadata, name: `pod-${which}` }, spec };
    const answer = await scene.plane.call(
      "POST",
      `/api/v1/namespaces/${space}/pods?dryRun=All&fieldValidation=Strict`,
      pod,
    );
    expect(answer.body["message"]).toBeUndefined();
  });

  test("say to the bot, its migration and its setup what these can read", () => {
    const bot = { ...variables("bot"), DISCORD_APPLICATION_ID: "123456789012345678" };
    expect(botEnvironment.safeParse(bot).error?.issues).toBeUndefined();
    expect(databaseEnvironment.safeParse(variables("migrate")).error?.issues).toBeUndefined();
    expect(discordEnvironment.safeParse(variables("setup")).error?.issues).toBeUndefined();
    const known = new Set([...reservedEnvironment, "EXTRA"]);
    expect(Object.keys(bot).filter((name) => !known.has(name))).toEqual([]);
  });

  test("give the owner of the database to the migration alone, and the Discord token to the bot and its setup", () => {
    expect(mounts("migrate")).toEqual(["database", "database-ca"]);
    expect(mounts("setup")).toEqual(["discord"]);
    expect(mounts("bot")).toEqual(["config", "discord", "database", "database-ca"]);
    for (const which of ["migrate", "setup", "bot"])
      expect(JSON.stringify(variables(which))).not.toMatch(/token of/);
  });
});

describe("a bot", () => {
  let call: Call;
  beforeAll(async () => {
    call = await scene.plane.callAs({ serviceAccount: { namespace: space, name: "watch-bot" } });
  });

  const lease = `/apis/coordination.k8s.io/v1/namespaces/${space}/leases`;
  const core = `/api/v1/namespaces/${space}`;
  test.each<[string, string, string, unknown, number]>([
    ["reads its Lease", "GET", `${lease}/watch-leader`, undefined, 200],
    ["holds its Lease", "PATCH", `${lease}/watch-leader`, { spec: { holderIdentity: "a" } }, 200],
    ["writes its report", "PATCH", `${core}/configmaps/watch-report`, { data: { a: "b" } }, 200],
    ["does not reach another's Lease", "GET", `${lease}/other-leader`, undefined, 403],
    [
      "does not write another's report",
      "PATCH",
      `${core}/configmaps/other-report`,
      { data: { a: "b" } },
      403,
    ],
    ["does not write its own configuration", "PATCH", `${core}/configmaps/watch-config`, { data: {} }, 403],
    ["does not make Leases", "POST", lease, { metadata: { name: "x" } }, 403],
    ["does not read Secrets", "GET", `${core}/secrets/watch-runtime`, undefined, 403],
    ["does not list Leases", "GET", lease, undefined, 403],
    ["does not see guilds", "GET", `/apis/dkp.dev/v1alpha1/namespaces/${space}/dkpguilds`, undefined, 403],
  ])("%s", async (_, method, path, body, status) => {
    const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    expect((await call(method, path, body, type)).status).toBe(status);
  });

  test("has these rights and no others", async () => {
    expect(await rightsIn(call, space)).toEqual([
      "configmaps [watch-report]: get,patch,update",
      "coordination.k8s.io/leases [watch-leader]: get,list,patch,update,watch",
    ]);
  });

  test("watches its Lease by name", async () => {
    const path = `${lease}?watch=true&fieldSelector=metadata.name%3Dwatch-leader&timeoutSeconds=1`;
    expect((await call("GET", path)).status).toBe(200);
  });
});

describe("kubectl auth can-i", () => {
  const page = readFileSync(join(root, "docs/operator.md"), "utf8").replaceAll("NAMESPACE", space);
  const line = /^kubectl auth can-i (\w+) (\S+) (?:-n \S+ )?--as=(\S+) +# (yes|no)$/gm;
  const said = [...page.replaceAll("NAME", "watch").matchAll(line)];

  test("is shown in the documentation", () => {
    expect(said.length).toBe(5);
  });

  test.each(said.map(([, verb = "", what = "", who = "", answer = ""]) => ({ verb, what, who, answer })))(
    "$verb $what as $who: $answer",
    async ({ verb, what, who, answer }) => {
      const [type = "", name] = what.split("/");
      const [plural = "", ...group] = type.split(".");
      const groups: Record<string, string> = { lease: "coordination.k8s.io", leases: "coordination.k8s.io" };
      const resourceAttributes = {
        namespace: space,
        verb,
        group: groups[plural] ?? group.join("."),
        resource: plural === "lease" ? "leases" : plural,
        name,
      };
      const review = { spec: { user: who, resourceAttributes } };
      const path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
      const { body } = await scene.plane.call("POST", path, review);
      expect(body["status"]).toMatchObject({ allowed: answer === "yes" });
    },
  );
});

describe("a drain", () => {
  const core = `/api/v1/namespaces/${space}/pods`;
  const evict = async (name: string) => {
    const body = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace: space } };
    return (await scene.plane.call("POST", `${core}/${name}/eviction`, body)).status;
  };
  /** A pod of the bot that runs, and is ready or not; with the budget's own account of it. */
  const run = async (name: string, ready: boolean) => {
    const { metadata, spec } = templates["bot"] ?? {};
    await scene.create(kinds.pods, space, { metadata: { ...metadata, name }, spec });
    const conditions = [{ type: "Ready", status: ready ? "True" : "False" }];
    await scene.patch(kinds.pods, space, name, { status: { phase: "Running", conditions } }, "status");
  };
  const allow = async (disruptionsAllowed: number) => {
    const live = await scene.get(kinds.podDisruptionBudgets, space, "watch-bot");
    const counts = { currentHealthy: 1 + disruptionsAllowed, desiredHealthy: 1, expectedPods: 2 };
    const status = { observedGeneration: live?.metadata.generation, disruptionsAllowed, ...counts };
    await scene.patch(kinds.podDisruptionBudgets, space, "watch-bot", { status }, "status");
  };

  test("takes a guild's pods one after another, never the last that serves, and always one that is broken", async () => {
    await run("serving", true);
    await run("broken", false);
    await allow(0);
    expect(await evict("serving")).toBe(429);
    expect(await evict("broken")).toBe(201);
    await allow(1);
    expect(await evict("serving")).toBe(201);
  });
});

describe("the operator", () => {
  test("has the rights that its ClusterRole lists and no others, none of them on everything", async () => {
    const call = await scene.plane.callAs({
      serviceAccount: { namespace: "dkp-system", name: "dkp-operator" },
    });
    const text = readFileSync(join(root, "config/rbac/cluster-role.yaml"), "utf8");
    const listed = sentences((parse(text) as { rules: Rule[] }).rules);
    expect(await rightsIn(call, space)).toEqual(listed);
    expect(
      listed.filter((sentence) => /\*|escalate|bind|impersonate/.test(sentence.split(":")[1] ?? "")),
    ).toEqual([]);
    expect(listed.filter((sentence) => sentence.includes("*"))).toEqual([]);
  });

  test("may neither list nor watch Secrets", async () => {
    const call = await scene.plane.callAs({
      serviceAccount: { namespace: "dkp-system", name: "dkp-operator" },
    });
    expect((await call("GET", `/api/v1/namespaces/${space}/secrets`)).status).toBe(403);
    expect((await call("GET", "/api/v1/secrets?watch=true&timeoutSeconds=1")).status).toBe(403);
  });

  test("is installed by manifests without an unknown field, and its pods pass Pod Security restricted", async () => {
    const namespaces = "/api/v1/namespaces/dkp-system";
    await scene.plane.call(
      "PATCH",
      namespaces,
      { metadata: { labels: { "pod-security.kubernetes.io/enforce": "restricted" } } },
      "application/merge-patch+json",
    );
    const paths: Record<string, string> = {
      Deployment: "/apis/apps/v1/namespaces/dkp-system/deployments",
      Service: `${namespaces}/services`,
      PodDisruptionBudget: "/apis/policy/v1/namespaces/dkp-system/poddisruptionbudgets",
      NetworkPolicy: "/apis/networking.k8s.io/v1/namespaces/dkp-system/networkpolicies",
    };
    const folder = join(root, "config/operator");
    const files = readdirSync(folder).filter((file) => file !== "kustomization.yaml");
    for (const file of files) {
      const object = parse(readFileSync(join(folder, file), "utf8")) as KubeObject;
      const answer = await scene.plane.call("POST", `${paths[object.kind]}?fieldValidation=Strict`, object);
      expect(answer.body["message"]).toBeUndefined();
      if (object.kind !== "Deployment") continue;
      const { template } = object["spec"] as { template: Template };
      for (const { resources } of template.spec.containers)
        expect(Object.keys(resources).toSorted()).toEqual(["limits", "requests"]);
      const pod = { metadata: { ...template.metadata, name: "operator" }, spec: template.spec };
      const made = await scene.plane.call("POST", `${namespaces}/pods?dryRun=All`, pod);
      expect(made.body["message"]).toBeUndefined();
    }
  });
});
