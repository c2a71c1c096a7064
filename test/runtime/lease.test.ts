import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { KubeClient } from "../../runtime/kube/client.ts";
import { leaseResource, microTime, type Lease } from "../../runtime/kube/lease-record.ts";
import { lightKubeClient } from "../../runtime/kube/light-client.ts";
import { electLeader, type Election, type ElectionOptions } from "../../runtime/kube/lease.ts";
import { startControlPlane, type ControlPlane } from "../cluster/control-plane.ts";
import { adminClient, freshNamespace, silent } from "./api.ts";
import { startProxy, type Proxy } from "./proxy.ts";

let plane: ControlPlane;
let proxy: Proxy;
let direct: KubeClient;
/** Reaches the API server only as the proxy lets it. */
let remote: KubeClient;
let namespace: string;
const started: Election[] = [];

beforeAll(async () => {
  plane = await startControlPlane();
  proxy = await startProxy(plane);
  direct = adminClient(plane);
  // The client that bots elect with.
  remote = adminClient(plane, proxy.url, {}, lightKubeClient);
  namespace = await freshNamespace(direct);
}, 1_800_000);
afterEach(async () => {
  proxy.intercept(() => undefined);
  await Promise.all(started.splice(0).map((election) => election.stop()));
});
afterAll(async () => {
  await remote?.close();
  await direct?.close();
  await proxy?.close();
  await plane?.stop();
});

type Candidate = Election & { told: string[]; signals: AbortSignal[] };

function stand(name: string, identity: string, options: Partial<ElectionOptions> = {}): Candidate {
  const told: string[] = [];
  const signals: AbortSignal[] = [];
  const election = electLeader({
    client: direct,
    namespace,
    name,
    identity,
    leaseDurationMs: 2_000,
    renewDeadlineMs: 1_300,
    retryPeriodMs: 200,
    renewPeriodMs: 300,
    create: true,
    onAcquired(signal) {
      told.push("acquired");
      signals.push(signal);
    },
    onLost: (reason) => told.push(`lost ${reason}`),
    onNewLeader: (leader) => told.push(`sees ${leader}`),
    log: silent,
    ...options,
  });
  started.push(election);
  return { ...election, told, signals };
}

const leads = (candidate: Election) => vi.waitFor(() => expect(candidate.isLeader()).toBe(true), 20_000);
const read = async (name: string) => {
  const lease = await direct.get<Lease>(leaseResource, { namespace, name });
  if (lease?.spec === undefined) throw new Error(`There is no lease ${name}.`);
  return lease.spec;
};

const microTimeShape = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

describe("holding a lease", () => {
  test("the first candidate creates it and renews it with microsecond times; the second only follows", async () => {
    const first = stand("held", "a");
    await leads(first);
    const second = stand("held", "b");
    await vi.waitFor(() => expect(second.holder()).toBe("a"));
    const before = await read("held");
    expect(before).toMatchObject({ holderIdentity: "a", leaseDurationSeconds: 2, leaseTransitions: 0 });
    expect(before.acquireTime).toMatch(microTimeShape);
    await vi.waitFor(async () => expect((await read("held")).renewTime).not.toBe(before.renewTime), 20_000);
    expect((await read("held")).acquireTime).toBe(before.acquireTime);
    expect(second.isLeader()).toBe(false);
    expect(second.told).toEqual(["sees a"]);
  });

  test("a stopping holder releases, after its work has ended, and the follower takes over without waiting for expiry", async () => {
    const order: string[] = [];
    const first = stand("passed-on", "a", {
      leaseDurationMs: 60_000,
      async onAcquired(signal) {
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        order.push(`work ends while the lease is held by ${(await read("passed-on")).holderIdentity}`);
      },
    });
    await leads(first);
    const second = stand("passed-on", "b", {
      leaseDurationMs: 60_000,
      onAcquired: () => void order.push("b acquires"),
    });
    await vi.waitFor(() => expect(second.holder()).toBe("a"));
    await first.stop();
    await leads(second);
    expect(order).toEqual(["work ends while the lease is held by a", "b acquires"]);
    expect(await read("passed-on")).toMatchObject({
      holderIdentity: "b",
      leaseTransitions: 1,
      leaseDurationSeconds: 60,
    });
  });

  test("a released lease says so as client-go does", async () => {
    const first = stand("released", "a");
    await leads(first);
    await first.stop();
    expect(await read("released")).toMatchObject({
      holderIdentity: "",
      leaseDurationSeconds: 1,
      leaseTransitions: 0,
    });
    expect(first.told).toEqual(["sees a", "acquired", "lost stopped"]);
    expect(first.signals[0]?.aborted).toBe(true);
  });

  test("a holder cut off from the API server gives up before another may take over", async () => {
    const first = stand("partitioned", "a", { client: remote });
    await leads(first);
    const second = stand("partitioned", "b", {
      onAcquired: () =>
        void moments.push(`b acquires while a ${first.isLeader() ? "leads" : "does not lead"}`),
    });
    const moments: string[] = [];
    await vi.waitFor(() => expect(second.holder()).toBe("a"));
    proxy.intercept(() => ({ reset: true }));
    await leads(second);
    expect(moments).toEqual(["b acquires while a does not lead"]);
    expect(first.told).toEqual(["sees a", "acquired", "lost expired"]);
    proxy.intercept(() => undefined);
    await vi.waitFor(() => expect(first.holder()).toBe("b"), 20_000);
    expect((await read("partitioned")).leaseTransitions).toBe(1);
  });

  test("a holder that was killed is followed after its time, however wrong its clock", async () => {
    const future = microTime(Date.now() + 3_600_000);
    await direct.create(leaseResource, {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { namespace, name: "orphaned" },
      spec: {
        holderIdentity: "dead",
        leaseDurationSeconds: 2,
        acquireTime: future,
        renewTime: future,
        leaseTransitions: 6,
      },
    });
    const heir = stand("orphaned", "b");
    await leads(heir);
    expect(await read("orphaned")).toMatchObject({ holderIdentity: "b", leaseTransitions: 7 });
  });

  test("keeps what others wrote on the lease, and survives their edits", async () => {
    const first = stand("edited", "a");
    await leads(first);
    await direct.mergePatch(
      leaseResource,
      { namespace, name: "edited" },
      { metadata: { labels: { guild: "core" } } },
    );
    const before = await read("edited");
    await vi.waitFor(async () => expect((await read("edited")).renewTime).not.toBe(before.renewTime), 20_000);
    expect((await direct.get(leaseResource, { namespace, name: "edited" }))?.metadata.labels).toEqual({
      guild: "core",
    });
    expect(first.told).toEqual(["sees a", "acquired"]);
  });

  test("a lease that was taken away is given up", async () => {
    const first = stand("stolen", "a");
    await leads(first);
    await direct.mergePatch(
      leaseResource,
      { namespace, name: "stolen" },
      { spec: { holderIdentity: "thief" } },
    );
    await vi.waitFor(() => expect(first.told).toContain("lost taken"), 20_000);
    expect(first.isLeader()).toBe(false);
  });
});

describe("what a bot may do", () => {
  test("without the right to create it waits for its lease, and needs only get, update and watch on it by name", async () => {
    const rules = [
      {
        apiGroups: ["coordination.k8s.io"],
        resources: ["leases"],
        resourceNames: ["mine"],
        verbs: ["get", "update", "watch"],
      },
    ];
    const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
    await plane.call("POST", `${rbac}/roles`, { metadata: { name: "candidate" }, rules });
    await plane.call("POST", `${rbac}/rolebindings`, {
      metadata: { name: "candidate" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "candidate" },
      subjects: [{ kind: "User", name: "bot" }],
    });
    const { connectionFromKubeConfig } = await import("../../runtime/kube/config.ts");
    const connection = await connectionFromKubeConfig(await plane.kubeconfigFor({ user: "bot" }));
    const bot = adminClient(plane, undefined, { connection }, lightKubeClient);
    const waiting = stand("mine", "pod-1", { client: bot, create: false });
    const other = stand("mine", "pod-2", { client: bot, create: false });
    await direct.create(leaseResource, {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { namespace, name: "mine" },
    });
    await vi.waitFor(() => expect(waiting.isLeader() !== other.isLeader()).toBe(true), 20_000);
    const [leader, follower] = waiting.isLeader() ? [waiting, other] : [other, waiting];
    await leader.stop();
    await leads(follower);
    expect(await read("mine")).toMatchObject({ leaseTransitions: 1 });
    await follower.stop();
    await bot.close();
  });

  test("of many candidates that come at once exactly one leads", async () => {
    const candidates = Array.from({ length: 8 }, (_, index) => stand("contested", `pod-${index}`));
    await vi.waitFor(() => expect(candidates.filter((one) => one.isLeader())).toHaveLength(1), 20_000);
    const holder = (await read("contested")).holderIdentity;
    await vi.waitFor(
      () => expect(candidates.map((one) => one.holder())).toEqual(candidates.map(() => holder)),
      20_000,
    );
    expect(candidates.flatMap((one) => one.told).filter((line) => line === "acquired")).toHaveLength(1);
  });
});
