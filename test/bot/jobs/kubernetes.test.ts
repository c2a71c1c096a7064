import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { reportSchema, type Report } from "../../../crds/report.ts";
import { announcement } from "../../../bot/announcement.ts";
import { botFacts } from "../../../bot/facts.ts";
import { keepReport } from "../../../bot/jobs/report.ts";
import { inClusterConnection } from "../../../runtime/kube/config.ts";
import { lightKubeClient } from "../../../runtime/kube/light-client.ts";
import { logger } from "../../../runtime/log.ts";
import { startControlPlane, type ControlPlane } from "../../cluster/control-plane.ts";
import { house, until, type House, type Replica } from "../house.ts";

let home: House;
let cluster: ControlPlane;
let serviceAccountDir: string;

const namespace = "night-watch";
const lease = "/apis/coordination.k8s.io/v1/namespaces/night-watch/leases/night-watch-leader";
const report = "/api/v1/namespaces/night-watch/configmaps/night-watch-report";

beforeAll(async () => {
  [home, cluster] = await Promise.all([house(), startControlPlane()]);
  serviceAccountDir = await podOf(cluster);
});

afterAll(async () => {
  expect(await home.discord.violations()).toEqual([]);
  await home.close();
  await cluster.stop();
  rmSync(serviceAccountDir, { recursive: true, force: true });
});

/** What the operator makes around a bot, with no more rights than it gives. */
async function podOf({ call, ca }: ControlPlane): Promise<string> {
  const core = `/api/v1/namespaces/${namespace}`;
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  const named = (name: string) => ({ metadata: { name, namespace } });
  const made = [
    await call("POST", "/api/v1/namespaces", { metadata: { name: namespace } }),
    await call("POST", `${core}/serviceaccounts`, named("night-watch-bot")),
    await call("POST", `${core}/configmaps`, named("night-watch-report")),
    await call("POST", lease.replace(/\/[^/]+$/, ""), named("night-watch-leader")),
    await call("POST", `${rbac}/roles`, {
      ...named("night-watch-bot"),
      rules: [
        {
          apiGroups: ["coordination.k8s.io"],
          resources: ["leases"],
          resourceNames: ["night-watch-leader"],
          verbs: ["get", "list", "watch", "update", "patch"],
        },
        {
          apiGroups: [""],
          resources: ["configmaps"],
          resourceNames: ["night-watch-report"],
          verbs: ["get", "update", "patch"],
        },
      ],
    }),
    await call("POST", `${rbac}/rolebindings`, {
      ...named("night-watch-bot"),
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "night-watch-bot" },
      subjects: [{ kind: "ServiceAccount", name: "night-watch-bot", namespace }],
    }),
  ];
  expect(made.map(({ status }) => status)).toEqual(made.map(() => 201));
  const { body } = await call("POST", `${core}/serviceaccounts/night-watch-bot/token`, { spec: {} });
  const folder = mkdtempSync(join(tmpdir(), "dkp-service-account-"));
  writeFileSync(join(folder, "token"), (body["status"] as { token: string }).token);
  writeFileSync(join(folder, "ca.crt"), ca);
  writeFileSync(join(folder, "namespace"), namespace);
  return folder;
}

function environment(pod: string): Record<string, string> {
  const { hostname, port } = new URL(cluster.url);
  return {
    POD_NAME: pod,
    LEASE_NAME: "night-watch-leader",
    REPORT_NAME: "night-watch-report",
    LEASE_DURATION: "4",
    LEASE_RENEW_DEADLINE: "3",
    LEASE_RETRY_PERIOD: "1",
    KUBERNETES_SERVICE_HOST: hostname,
    KUBERNETES_SERVICE_PORT: port,
    SERVICE_ACCOUNT_DIR: serviceAccountDir,
  };
}

async function holder(): Promise<unknown> {
  const { body } = await cluster.call("GET", lease);
  return (body["spec"] as { holderIdentity?: string } | undefined)?.holderIdentity;
}

async function reported(): Promise<Report | undefined> {
  const { body } = await cluster.call("GET", report);
  const text = (body["data"] as { "report.json"?: string } | undefined)?.["report.json"];
  return text === undefined ? undefined : reportSchema.parse(JSON.parse(text));
}

async function version(): Promise<string> {
  const { body } = await cluster.call("GET", report);
  return (body["metadata"] as { resourceVersion: string }).resourceVersion;
}

function line({ logs }: Replica, message: string) {
  return logs.find(({ msg }) => msg === message);
}

describe("in Kubernetes", () => {
  let first: Replica;
  let second: Replica;

  test("a bot says where it is and leads by the guild's Lease", async () => {
    // A Lease of a minute: whoever takes over within these tests was handed it.
    const patient = { LEASE_DURATION: "60", LEASE_RENEW_DEADLINE: "40" };
    first = await home.replica({ ...environment("night-watch-bot-0"), ...patient });
    await until(async () => (await holder()) === "night-watch-bot-0");
    const facts = { identity: "night-watch-bot-0" };
    expect(line(first, "detected Kubernetes environment, using leader election for syncs")).toBeDefined();
    expect(line(first, "detected namespace from service account")).toMatchObject({ namespace });
    expect(line(first, "starting leader election for sync job")).toMatchObject({ ...facts, namespace });
    expect(line(first, "elected as sync leader, starting member sync job")).toMatchObject(facts);
    expect(line(first, "assigned guilds")).toMatchObject({
      guilds: [home.guild.id],
      pod: "night-watch-bot-0",
    });
  });

  test("the leader reports what the operator wants to know, and writes again only when it changes", async () => {
    await home.registered();
    await until(async () => (await reported())?.commands.state === "Registered");
    expect(await reported()).toMatchObject({
      version: 1,
      leader: "night-watch-bot-0",
      term: 1,
      discord: { state: "Connected" },
      commands: { state: "Registered", count: 3 },
      database: { state: "Ok" },
    });
    const before = await version();
    const balance = await home.discord.as(home.manager).command("dkp balance");
    await balance.reply();
    await until(async () => (await holder()) === "night-watch-bot-0");
    await (
      await home.discord.as(home.manager).command("dkp award", { amount: "5", member: home.manager })
    ).reply();
    await until(async () => (await holder()) === "night-watch-bot-0");
    expect(await version()).toBe(before);
    // The head of the ledger goes along with what changed otherwise.
    await home.discord.chaos.gatewayDown(true);
    await home.discord.chaos.disconnect();
    await until(async () => (await reported())?.discord.state === "Connecting");
    const [head] = await home.rows<{ version: string; hash: string }>(
      "select version::text, encode(hash, 'hex') as hash from stream",
    );
    expect((await reported())?.ledger).toEqual({ version: Number(head?.version), hash: head?.hash });
    expect(await reported()).not.toHaveProperty("restore");
    await home.discord.chaos.gatewayDown(false);
    await until(async () => (await reported())?.discord.state === "Connected");
  });

  test("another replica serves commands too, and takes the Lease over when the leader ends", async () => {
    second = await home.replica(environment("night-watch-bot-1"));
    expect(await holder()).toBe("night-watch-bot-0");
    await first.stop();
    await until(async () => (await holder()) === "night-watch-bot-1");
    await until(async () => (await reported())?.leader === "night-watch-bot-1");
    await until(async () => (await reported())?.term === 2);
    const released = first.logs.findIndex(({ msg }) => msg === "lost leadership, jobs stopped");
    const closed = first.logs.findIndex(({ step }) => step === "ledger");
    const metrics = await (await fetch(`http://127.0.0.1:${second.port}/metrics`)).text();
    expect(metrics).toMatch(/^dkp_is_leader 1$/m);
    expect(metrics).toMatch(/^dkp_leader_changes_total 2$/m);
    expect(metrics).toMatch(/^dkp_lease_reassignments_total 1$/m);
    expect(metrics).toMatch(/^dkp_db_pool\{state="waiting"\} 0$/m);
    await until(async () => {
      const now = await (await fetch(`http://127.0.0.1:${second.port}/metrics`)).text();
      return /^dkp_lease_renewals_total\{result="renewed"\} [1-9]/m.test(now);
    });
    expect(released).toBeGreaterThan(-1);
    expect(released).toBeLessThan(closed);
  });

  test("what changes while the report is being written is reported too, and a report that was lost is written again", async () => {
    await second.stop();
    const ending = new AbortController();
    const change = announcement();
    const told = ["Connecting", "NotInGuild", "Connected"] as const;
    let writes = 0;
    const { hostname: host, port } = new URL(cluster.url);
    const client = lightKubeClient({
      connection: inClusterConnection({ serviceAccountDir, host, port }),
      fieldManager: "test",
      userAgent: "test",
    });
    const facts = botFacts(logger({ level: "silent", format: "json", name: "test" }));
    const keeping = keepReport({
      client: {
        ...client,
        async mergePatch(...call) {
          const done = client.mergePatch(...call);
          writes += 1;
          change.tell();
          return (await done) as never;
        },
      },
      namespace,
      name: "night-watch-report",
      facts: () => ({
        ...facts.report("a test", "test"),
        discord: { state: told[writes] ?? "Connected", message: "" },
      }),
      changed: (signal) => change.heard(signal),
      signal: ending.signal,
      log: logger({ level: "silent", format: "json", name: "test" }),
      spacingMs: 10,
      lookAgainMs: 300,
    });
    await until(async () => (await reported())?.discord.state === "Connected");
    expect(writes).toBe(3);
    // Nothing changed for the bot; but somebody emptied its report.
    await cluster.call("PATCH", report, { data: null }, "application/merge-patch+json");
    await until(async () => (await reported())?.discord.state === "Connected");
    ending.abort();
    await keeping;
    await client.close();
    second = await home.replica(environment("night-watch-bot-1"));
    await until(async () => (await holder()) === "night-watch-bot-1");
  });

  test("the ledger's head is reported once in a while, however fast it changes", async () => {
    await second.stop();
    const ending = new AbortController();
    const change = announcement();
    let head = 0;
    let writes = 0;
    const { hostname: host, port } = new URL(cluster.url);
    const client = lightKubeClient({
      connection: inClusterConnection({ serviceAccountDir, host, port }),
      fieldManager: "test",
      userAgent: "test",
    });
    const log = logger({ level: "silent", format: "json", name: "test" });
    const facts = botFacts(log);
    const keeping = keepReport({
      client: {
        ...client,
        async mergePatch(...call) {
          writes += 1;
          return client.mergePatch(...call);
        },
      },
      namespace,
      name: "night-watch-report",
      facts: () => ({ ...facts.report("a test", "test"), ledger: { version: head, hash: "" } }),
      changed: (signal) => change.heard(signal),
      signal: ending.signal,
      log,
      spacingMs: 1,
      lookAgainMs: 2000,
    });
    await until(() => writes === 1);
    await until(async () => {
      head += 1;
      change.tell();
      return writes === 2;
    });
    expect(head).toBeGreaterThan(20);
    expect((await reported())?.ledger?.version).toBeGreaterThan(20);
    ending.abort();
    await keeping;
    await client.close();
    second = await home.replica(environment("night-watch-bot-1"));
    await until(async () => (await holder()) === "night-watch-bot-1");
  });

  test("a right that is missing is named, and the replica serves as a follower", async () => {
    await second.stop();
    const role = "/apis/rbac.authorization.k8s.io/v1/namespaces/night-watch/roles/night-watch-bot";
    const { body } = await cluster.call("GET", role);
    const rules = body["rules"] as { resources: string[]; verbs: string[] }[];
    const lacking = rules.map((rule) =>
      rule.resources.includes("leases") ? { ...rule, verbs: ["get", "list", "watch"] } : rule,
    );
    await cluster.call("PATCH", role, { rules: lacking }, "application/merge-patch+json");
    second = await home.replica(environment("night-watch-bot-1"));
    await until(() => second.logs.some(({ verb, resource }) => verb === "update" && resource === "leases"));
    const get = async (path: string) => (await fetch(`http://127.0.0.1:${second.port}${path}`)).text();
    await until(async () => (await fetch(`http://127.0.0.1:${second.port}/readyz`)).ok);
    expect(await get("/metrics")).toMatch(/^dkp_is_leader 0$/m);
    expect(await get("/metrics")).toMatch(/^dkp_lease_renewals_total\{result="forbidden"\} [1-9]/m);
    await until(async () => (await home.discord.sessions()).some(({ connected }) => connected));
    const balance = await home.discord.as(home.manager).command("dkp balance");
    expect((await balance.reply()).content).toContain("dkp");
    await cluster.call("PATCH", role, { rules }, "application/merge-patch+json");
    await until(async () => (await holder()) === "night-watch-bot-1");
  });

  test("losing the Lease stops the jobs, never the process, and commands go on", async () => {
    await cluster.kill("kube-apiserver");
    await until(() => line(second, "lost leadership, jobs stopped") !== undefined);
    await until(async () => (await home.discord.sessions()).some(({ connected }) => connected));
    const award = await home.discord
      .as(home.manager)
      .command("dkp award", { amount: "7", member: home.manager });
    expect((await award.reply()).content).toContain("+7 dkp");
    await cluster.restart("kube-apiserver");
    await until(async () => (await holder()) === "night-watch-bot-1" && (await reported())?.term === 6);
  });
});
