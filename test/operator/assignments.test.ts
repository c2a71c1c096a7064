import { Registry } from "prom-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { DkpGuildStatus } from "../../crds/status.ts";
import { assignmentsServer } from "../../operator/assignments.ts";
import { guildMetrics, leaderCounts } from "../../operator/guild-metrics.ts";
import type { Assignment } from "../../operator/guild/assignment.ts";
import type { HealthServer } from "../../runtime/health.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { report } from "./players.ts";

const born = "2030-01-01T00:00:00Z";
const nowMs = Date.parse("2030-01-02T00:00:00Z");

/** A guild as the caches hold it; of those that are needed here. */
function guild(number: number, status: Partial<DkpGuildStatus> = {}): DkpGuild {
  const name = `guild-${String(number).padStart(5, "0")}`;
  const metadata = {
    name,
    namespace: `space-${number % 10}`,
    uid: `uid-${number}`,
    resourceVersion: "1",
    generation: 1,
    creationTimestamp: born,
  };
  const spec = { guildId: String(10n ** 17n + BigInt(number)) } as DkpGuild["spec"];
  return {
    apiVersion: "dkp.dev/v1alpha1",
    kind: "DkpGuild",
    metadata,
    spec,
    status: { observedGeneration: 1, ...status },
  };
}

function ready(leader: string): Partial<DkpGuildStatus> {
  return {
    phase: "Ready",
    leader: { pod: leader, term: 1, since: born },
    backup: { lastSuccess: born },
    conditions: [{ type: "Ready", status: "True", reason: "Ready", message: "", lastTransitionTime: born }],
  };
}

const guilds = Array.from({ length: 10_000 }, (_, index) => guild(index, ready(`bot-${index}`))).toReversed();
const reports = new Map<string, KubeObject>();
const problems: string[] = [];
let server: HealthServer;
const answered: { path: string; status: number }[] = [];

beforeAll(async () => {
  server = await assignmentsServer({
    address: "127.0.0.1:0",
    world: {
      guilds: () => guilds.values(),
      guildsOf: (id) => guilds.filter(({ spec }) => spec.guildId === id),
      child: ({ metadata }) => reports.get(metadata.name),
    },
    problems: () => problems,
    isLeader: () => false,
    observe: (answer) => answered.push(answer),
  });
});

afterAll(() => server.close());

const ask = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${server.port}${path}`, init);
const list = async (query = "") => (await (await ask(`/guild-assignments${query}`)).json()) as Assignment[];

describe("/guild-assignments", () => {
  test("lists ten thousand guilds, sorted, from a process that does not lead", async () => {
    const all = await list();
    expect(all).toHaveLength(10_000);
    const keys = all.map(({ namespace, name }) => `${namespace}/${name}`);
    expect(keys).toEqual(keys.toSorted());
    expect(all.find(({ name }) => name === "guild-00007")).toEqual({
      guildId: "100000000000000007",
      namespace: "space-7",
      name: "guild-00007",
      pod: "bot-7",
      since: born,
      phase: "Ready",
      ready: true,
      health: {
        connected: false,
        discord: "Unknown",
        database: "Unknown",
        commands: "Unknown",
        replicas: 0,
        readyReplicas: 0,
        message: "",
      },
    });
  });

  test("is narrowed by namespace and by the Discord guild's id", async () => {
    expect(await list("?namespace=space-3")).toHaveLength(1_000);
    expect((await list("?guildId=100000000000000012")).map(({ name }) => name)).toEqual(["guild-00012"]);
    expect(await list("?guildId=100000000000000012&namespace=space-3")).toEqual([]);
  });

  test("is read page by page, each guild once", async () => {
    const seen: string[] = [];
    let next: string | undefined = "/guild-assignments?namespace=space-4&limit=300";
    let pages = 0;
    while (next !== undefined) {
      const page: Response = await ask(next);
      seen.push(...((await page.json()) as Assignment[]).map(({ name }) => name));
      next = /^<([^>]+)>; rel="next"$/.exec(page.headers.get("link") ?? "")?.[1];
      pages += 1;
    }
    expect(pages).toBe(4);
    expect(new Set(seen).size).toBe(1_000);
    expect(seen).toHaveLength(1_000);
  });

  test("says what the bot reported since the status was written", async () => {
    const newer = { ...report, leader: "bot-new", discord: { state: "Unreachable", message: "" } };
    const data = { "report.json": JSON.stringify(newer) };
    const ownerReferences = [{ apiVersion: "x", kind: "DkpGuild", name: "guild-00001", uid: "uid-1" }];
    const metadata = { name: "guild-00001-report", resourceVersion: "5", ownerReferences };
    reports.set("guild-00001", { apiVersion: "v1", kind: "ConfigMap", metadata, data });
    const [found] = await list("?guildId=100000000000000001");
    expect(found).toMatchObject({ pod: "bot-new", health: { connected: false, discord: "Unreachable" } });
  });

  test("is not sent again while nothing has changed", async () => {
    const path = "/guild-assignments?guildId=100000000000000002";
    const first = await ask(path);
    const tag = first.headers.get("etag") ?? "";
    expect((await ask(path, { headers: { "if-none-match": tag } })).status).toBe(304);
    const metadata = { name: "guild-00002-report", resourceVersion: "6" };
    reports.set("guild-00002", { apiVersion: "v1", kind: "ConfigMap", metadata });
    expect((await ask(path, { headers: { "if-none-match": tag } })).status).toBe(200);
  });

  test.each([
    ["/guild-assignments?limit=0", "GET", 400, "limit must be a whole number from 1 to 999999."],
    ["/guild-assignments", "DELETE", 405, "Only GET and HEAD are answered."],
    ["/guilds", "GET", 404, "There is /health and /guild-assignments."],
  ])("answers %s %s with %i and a sentence", async (path, method, status, error) => {
    const answer = await ask(path, { method });
    expect(answer.status).toBe(status);
    expect(await answer.json()).toEqual({ error });
    if (status === 405) expect(answer.headers.get("allow")).toBe("GET, HEAD");
  });

  test("says that it cannot know while the caches are not complete, and /health says so too", async () => {
    expect(await (await ask("/health")).json()).toEqual({ status: "ok", leader: false, problems: [] });
    problems.push("The caches are not complete yet.");
    const [health, assignments] = [await ask("/health"), await ask("/guild-assignments")];
    problems.length = 0;
    expect([health.status, assignments.status]).toEqual([503, 503]);
    expect(await health.json()).toMatchObject({ status: "unavailable", problems: [expect.any(String)] });
    expect(answered).toContainEqual(expect.objectContaining({ path: "/health", status: 503 }));
  });
});

function led(pod: string, term: number): DkpGuildStatus {
  return { observedGeneration: 1, leader: { pod, term } };
}

describe("metrics of guilds", () => {
  test("count phases and rollouts, zeros too, and tell of each guild's readiness and backup", async () => {
    const registry = new Registry();
    const some = [
      guild(1, ready("a")),
      guild(2, { phase: "Stalled", rollout: { image: "x", state: "Failed" } }),
      guild(3),
    ];
    guildMetrics(registry, { guilds: () => some, clock: () => nowMs, perGuild: true });
    const page = await registry.metrics();
    for (const line of [
      'dkp_guilds{phase="Ready"} 1',
      'dkp_guilds{phase="Stalled"} 1',
      'dkp_guilds{phase="Pending"} 1',
      'dkp_guilds{phase="Hibernated"} 0',
      'dkp_rollout_guilds{state="Failed"} 1',
      'dkp_rollout_guilds{state="Progressing"} 0',
      'dkp_guild_ready{namespace="space-1",guild="guild-00001"} 1',
      'dkp_guild_ready{namespace="space-2",guild="guild-00002"} 0',
      'dkp_guild_backup_age_seconds{namespace="space-1",guild="guild-00001"} 86400',
    ])
      expect(page.split("\n")).toContain(line);
    expect(page).not.toContain('dkp_guild_backup_age_seconds{namespace="space-2"');
    some.shift();
    expect(await registry.metrics()).not.toContain("guild-00001");
  });

  test("of each guild can be left out", async () => {
    const registry = new Registry();
    guildMetrics(registry, { guilds: () => guilds, clock: () => nowMs, perGuild: false });
    const page = await registry.metrics();
    expect(page).toContain('dkp_guilds{phase="Ready"} 10000');
    expect(page).not.toContain("guild-0");
  });

  test("count new terms of leaders, and changes of pod among them", async () => {
    const registry = new Registry();
    const count = leaderCounts(registry);
    count(undefined, led("a", 1));
    count(led("a", 1), led("a", 1));
    count(led("a", 1), led("b", 2));
    count(led("b", 2), led("b", 3));
    const page = await registry.metrics();
    expect(page).toContain("dkp_leader_changes_total 2");
    expect(page).toContain("dkp_lease_reassignments_total 1");
  });
});
