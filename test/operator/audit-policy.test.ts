import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { type Call, type ControlPlane, startControlPlane } from "../cluster/control-plane.ts";

const file = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const secrets = "/api/v1/namespaces/raids/secrets";
const leases = "/apis/coordination.k8s.io/v1/namespaces/raids/leases";
const guilds = "/apis/dkp.dev/v1alpha1/namespaces/raids/dkpguilds";

type Entry = {
  level: string;
  verb: string;
  user: { username: string };
  objectRef: { resource: string; name?: string };
  requestObject?: unknown;
  responseObject?: unknown;
};

let folder: string;
let plane: ControlPlane;
let bot: Call;

async function entries(): Promise<Entry[]> {
  const text = await readFile(join(folder, "audit.log"), "utf8");
  const complete = text.split("\n").slice(0, -1);
  return complete.map((line) => JSON.parse(line) as Entry);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dkp-audit-"));
  await writeFile(join(folder, "audit.log"), "");
  const flags = { policy: file("config/audit/policy.yaml"), log: join(folder, "audit.log") };
  plane = await startControlPlane({
    apiserverFlags: [`--audit-policy-file=${flags.policy}`, `--audit-log-path=${flags.log}`],
  });
  await plane.call("POST", "/api/v1/namespaces", { metadata: { name: "raids" } });
  await plane.call("POST", "/api/v1/namespaces/raids/serviceaccounts", { metadata: { name: "night-bot" } });
  await plane.call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
    metadata: { name: "everything" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
    subjects: [{ kind: "ServiceAccount", name: "night-bot", namespace: "raids" }],
  });
  const definition: unknown = parse(await readFile(file("crds/dkpguilds.yaml"), "utf8"));
  await plane.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition);
  await vi.waitFor(async () => expect((await plane.call("GET", guilds)).status).toBe(200), 20_000);
  bot = await plane.callAs({ serviceAccount: { namespace: "raids", name: "night-bot" } });
}, 1_800_000);

afterAll(async () => {
  await plane?.stop();
  await rm(folder, { recursive: true, force: true });
});

test("the audit policy tells who changes guilds, Secrets and Leases, and nothing of what is in a Secret", async () => {
  const spec = { guildId: "123456789012345678", discord: { tokenSecretRef: { name: "night-discord" } } };
  const metadata = { name: "night" };
  const secret = { metadata: { name: "night-discord" }, stringData: { token: "raid-night-password" } };
  const requests: [Call, string, string, unknown?][] = [
    [plane.call, "POST", guilds, { apiVersion: "dkp.dev/v1alpha1", kind: "DkpGuild", metadata, spec }],
    [plane.call, "GET", `${guilds}/night`],
    [bot, "POST", secrets, secret],
    [bot, "GET", `${secrets}/night-discord`],
    [bot, "GET", "/api/v1/namespaces/raids/configmaps"],
    [bot, "POST", leases, { metadata: { name: "night-leader" }, spec: { holderIdentity: "a" } }],
    [bot, "GET", `${leases}/night-leader`],
    [bot, "DELETE", `${leases}/night-leader`],
  ];
  for (const [call, method, path, body] of requests)
    expect((await call(method, path, body)).status).toBeLessThan(300);

  const found = await vi.waitFor(async () => {
    const all = (await entries()).filter(({ objectRef: { resource } }) => resource !== "serviceaccounts");
    expect(all.at(-1)?.verb).toBe("delete");
    return all;
  }, 20_000);
  const told = found.map(({ level, verb, user, objectRef }) =>
    [level, verb, objectRef.resource, user.username.split(":").at(-1)].join(" "),
  );
  expect(told).toEqual([
    expect.stringMatching(/^Request create dkpguilds (?!night-bot)/),
    "Metadata create secrets night-bot",
    "Metadata get secrets night-bot",
    "Metadata create leases night-bot",
    "Metadata delete leases night-bot",
  ]);
  expect(found[0]?.requestObject).toMatchObject({ spec });
  expect(JSON.stringify(found)).not.toContain("raid-night-password");
});
