import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { parse, stringify } from "yaml";
import * as kinds from "../../operator/guild/resources.ts";
import { runDkp } from "../../operator/kubectl/run.ts";
import type { Resource } from "../../runtime/kube/object.ts";
import type { Operator } from "../../operator/start.ts";
import { everybodyPlays, makeGuild, makeToken } from "./players.ts";
import { type Scene, openScene } from "./scene.ts";
import { patience, reachesPhase } from "./status.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const store = {
  objectStore: { bucket: "backups", endpoint: "http://s3.example", secretRef: { name: "s3" } },
};
const guildId = "800000000000000001";

let scene: Scene;
let operator: Operator;
let kubeconfig: string;

beforeAll(async () => {
  scene = await openScene({ cloudNativePg: true });
  kubeconfig = await scene.plane.kubeconfigFor({ user: "admin", groups: ["system:masters"] });
  const deployment = parse(readFileSync(`${root}config/operator/deployment.yaml`, "utf8")) as {
    spec: { template: { spec: { containers: { env: { name: string; value?: string }[] }[] } } };
  };
  for (const entry of deployment.spec.template.spec.containers[0]?.env ?? []) {
    if (entry.name === "BOT_IMAGE") entry.value = "dkp-bot:1";
    if (entry.name === "POSTGRES_IMAGE") entry.value = "postgresql:16.6";
  }
  const env = deployment.spec.template.spec.containers[0]?.env;
  env?.push({ name: "DISCORD_API_URL", value: "http://discord.example:8090/api" });
  await scene.create(kinds.deployments, "dkp-system", deployment);
  operator = scene.startOperator(await scene.operatorClient(), { recheckMs: 300, secretMemoryMs: 0 });
  await scene.namespace("space");
  await makeToken(scene, "space");
  await scene.create(kinds.guilds, "space", makeGuild("watch", guildId));
  await scene.create(
    kinds.guilds,
    "space",
    makeGuild("lost", "800000000000000002", { discord: { tokenSecretRef: { name: "nowhere" } } }),
  );
  const players = everybodyPlays(scene, "space", "watch");
  await reachesPhase(scene, "space", "watch", "Ready");
  await players.stop();
});

afterAll(async () => {
  await operator?.stop();
  await scene?.stop();
});

/** Runs the plugin as an administrator; answers exit code, output and notes. */
async function dkp(...args: string[]) {
  const [out, notes]: [string[], string[]] = [[], []];
  const code = await runDkp(args, {
    kubeconfigs: [kubeconfig],
    say: (line) => out.push(line),
    note: (line) => notes.push(line),
    colours: false,
    read: async (path) => readFileSync(path, "utf8"),
  });
  return { code, out: out.join("\n"), notes: notes.join("\n") };
}

async function file(name: string, guild: object): Promise<string> {
  const path = `${kubeconfig}.${name}.yaml`;
  await writeFile(path, stringify(guild));
  return path;
}

describe("called wrongly", () => {
  test.each<[string[], number, RegExp]>([
    [["wy", "watch"], 2, /There is no command wy: choose from status, why, plan/],
    [["why"], 2, /kubectl dkp why GUILD/],
    [["status", "--colour"], 2, /Unknown option '--colour'/],
    [["status", "-o", "yaml"], 2, /-o knows json, not yaml/],
    [["why", "watch", "-A"], 2, /Name one namespace by -n/],
    [["restore", "watch", "-n", "space"], 2, /--to/],
    [["restore", "watch", "-n", "space", "--to", "yesterday"], 2, /2026-11-21T18:30:00Z/],
    [["why", "wach", "-n", "space"], 1, /no DkpGuild wach in namespace space, which has lost, watch/],
    [["status", "--context", "other"], 1, /No cluster: .*context other/],
    [["status", "--kubeconfig", "/nowhere/config"], 1, /No cluster: .*\/nowhere\/config/],
    [["backup", "watch", "-n", "space"], 1, /nowhere to put a backup: set spec.backup first/],
    [["plan", "-n", "space"], 2, /Name a guild, or a file by -f/],
    [["plan", "-f", "/nowhere.yaml", "-n", "space"], 3, /\/nowhere.yaml cannot be read/],
  ])("with %j it answers %i and a sentence", async (args, code, sentence) => {
    const answer = await dkp(...args);
    expect(answer.notes).toMatch(sentence);
    expect(answer.code).toBe(code);
    expect(answer.out).toBe("");
  });

  test("each command has a help text", async () => {
    const { out, code } = await dkp("--help");
    expect(code).toBe(0);
    for (const name of ["status", "why", "plan", "pause", "resume", "backup", "restore"]) {
      expect(out).toContain(name);
      expect((await dkp(name, "--help")).out).toContain(`Usage: kubectl dkp ${name}`);
    }
  });

  test("who may not look is told so", async () => {
    const nobody = await scene.plane.kubeconfigFor({
      serviceAccount: { namespace: "space", name: "watch-bot" },
    });
    const { code, notes } = await dkp("status", "-n", "space", "--kubeconfig", nobody);
    expect(code).toBe(1);
    expect(notes).toMatch(/^You may not do that: .*cannot list resource "dkpguilds"/);
  });
});

test("as a program it writes no colours into a pipe and ends with the exit code", async () => {
  const run = promisify(execFile);
  const env = { PATH: process.env["PATH"], HOME: "/nowhere", KUBECONFIG: kubeconfig };
  const program = `${root}operator/kubectl/cli.ts`;
  const { stdout } = await run(process.execPath, [program, "status", "-A"], { env });
  expect(stdout).toMatch(/^NAMESPACE +NAME +GUILD +PHASE/);
  expect(stdout).toMatch(/space +watch +800000000000000001 +Ready +2\/2 +bot-0 +3\/3 +none/);
  expect(stdout).not.toContain("\u001b");
  await expect(run(process.execPath, [program, "why"], { env })).rejects.toMatchObject({ code: 2 });
});

describe("status", () => {
  test("of one guild tells of pods, leader, database and Events", async () => {
    const { out } = await dkp("status", "watch", "-n", "space");
    expect(out).toMatch(/^Phase: +Ready/m);
    expect(out).toMatch(/^Leader: +bot-0, term 1/m);
    expect(out).toMatch(/^Database: +dedicated, watch-db, 3\/3, Cluster in healthy state/m);
    expect(out).toMatch(/^Requests: +cpu \S+, memory \S+, storage 30Gi/m);
    expect(out).toMatch(/Normal +Ready/);
  });

  test("as JSON is what the API server holds", async () => {
    const all = JSON.parse((await dkp("status", "-n", "space", "--json")).out) as { name: string }[];
    expect(all.map(({ name }) => name)).toEqual(["lost", "watch"]);
    const one = JSON.parse((await dkp("status", "watch", "-n", "space", "-o", "json")).out) as object;
    expect(one).toMatchObject({ guildId, status: { phase: "Ready" }, pods: [] });
  });
});

const waiting = (name: string, reason: string) => ({
  name,
  image: "x",
  imageID: "",
  ready: false,
  restartCount: 3,
  state: { waiting: { reason, message: "no such image" } },
});

describe("why", () => {
  test("names the Secret that is missing and how to make it", async () => {
    const { out } = await dkp("why", "lost", "-n", "space");
    expect(out.split("\n")[0]).toContain("Secret nowhere does not exist");
    expect(out).toContain("→ kubectl -n space create secret generic nowhere --from-file=token=FILE");
  });

  test("says that a guild is Ready, and what is worth knowing all the same", async () => {
    const { out } = await dkp("why", "watch", "-n", "space");
    expect(out).toMatch(/^watch is Ready\./);
    expect(out).toContain("The guild has no backups");
  });

  test.each([
    ["a pod", { containerStatuses: [waiting("bot", "ImagePullBackOff")] }],
    [
      "what comes first in a pod",
      {
        initContainerStatuses: [waiting("first", "ImagePullBackOff")],
        containerStatuses: [waiting("bot", "PodInitializing")],
      },
    ],
  ])("tells of %s that does not start", async (_, status) => {
    const labels = { "dkp.dev/guild": "watch", "app.kubernetes.io/instance": "watch" };
    const containers = [{ name: "bot", image: "x" }];
    await scene.create(kinds.pods, "space", {
      metadata: { name: "watch-bot-1", labels },
      spec: { containers, automountServiceAccountToken: false },
    });
    await scene.patch(kinds.pods, "space", "watch-bot-1", { status }, "status");
    const { out } = await dkp("why", "watch", "-n", "space");
    expect(out).toContain("Pod watch-bot-1 waits: ImagePullBackOff: no such image");
    expect((await dkp("status", "watch", "-n", "space")).out).toMatch(
      /watch-bot-1 +0\/1 +ImagePullBackOff +3/,
    );
    await scene.remove(kinds.pods, "space", "watch-bot-1");
  });
});

describe("plan", () => {
  test("of a guild that is as it should be changes nothing", async () => {
    const { code, out, notes } = await dkp("plan", "watch", "-n", "space");
    expect(notes).toBe("");
    expect(out).toMatch(/^DkpGuild space\/watch\n {2}\d+ unchanged$/);
    expect(code).toBe(0);
  });

  test("has no pods for a guild that is to sleep, as the operator has not", async () => {
    const sleeper = makeGuild("watch", guildId, { hibernate: true });
    const { code, out } = await dkp("plan", "-f", await file("sleep", sleeper), "-n", "space");
    expect(code).toBe(1);
    expect(out).toMatch(/update Deployment\/watch-bot\n\s+~ spec.replicas: 2 → 0/);
  });

  test("of a changed file shows fields and children, and stores nothing", async () => {
    const spec = { bot: { replicas: 3 }, mode: "readOnly" };
    const path = await file("changed", makeGuild("watch", guildId, spec));
    const before = await scene.list(kinds.deployments, "space");
    const { code, out } = await dkp("plan", "-f", path, "-n", "space");
    expect(out).toContain("~ spec.bot.replicas: 2 → 3");
    expect(out).toMatch(/~ update Deployment\/watch-bot\n +~ spec\.replicas: 2 → 3/);
    expect(out).toMatch(/~ update ConfigMap\/watch-config\n +~ data\["config.yaml"\]/);
    expect(code).toBe(1);
    expect(await scene.list(kinds.deployments, "space")).toEqual(before);
    expect(await scene.part(kinds.guilds, "space", "watch")).toMatchObject({ bot: { replicas: 2 } });
  });

  test("of another image shows the migration that comes first", async () => {
    const path = await file("image", makeGuild("watch", guildId, { bot: { image: "dkp-bot:9" } }));
    const { out } = await dkp("plan", "-f", path, "-n", "space");
    expect(out).toContain('+ spec.bot.image: "dkp-bot:9"');
    expect(out).toMatch(/\+ create Job\/watch-migrate-\S+/);
    expect(out).toContain("when it is the guild's turn in the fleet");
  });

  test("of a new guild lists what would be made first", async () => {
    const path = await file("new", makeGuild("fresh", "800000000000000003"));
    const { code, out } = await dkp("plan", "-f", path, "-n", "space", "--json");
    const { changes } = (JSON.parse(out) as { changes: { child: string; action: string }[] }[])[0] ?? {
      changes: [],
    };
    expect(changes).toContainEqual(expect.objectContaining({ child: "Cluster/fresh-db", action: "create" }));
    expect(changes.every(({ action }) => action === "create")).toBe(true);
    expect(code).toBe(1);
    expect(await scene.get(kinds.guilds, "space", "fresh")).toBeUndefined();
  });

  test("of a file that the API server refuses says its sentence", async () => {
    const path = await file("wrong", makeGuild("watch", "800000000000000009"));
    const { code, notes } = await dkp("plan", "-f", path, "-n", "space");
    expect(notes).toContain("guildId is immutable");
    expect(code).toBe(3);
  });
});

test("pause has the operator leave the guild alone until resume", async () => {
  expect((await dkp("pause", "watch", "-n", "space")).out).toBe("dkpguild/watch paused");
  await reachesPhase(scene, "space", "watch", "Suspended");
  expect((await dkp("pause", "watch", "-n", "space")).out).toContain("paused already");
  expect((await dkp("why", "watch", "-n", "space")).out).toContain("kubectl dkp resume watch -n space");
  const { out, notes } = await dkp("resume", "watch", "-n", "space");
  expect([out, notes]).toEqual(["dkpguild/watch resumed", ""]);
  await reachesPhase(scene, "space", "watch", "Ready");
});

test("pause warns where Flux keeps the guild", async () => {
  const live = await scene.get(kinds.guilds, "space", "lost");
  const {
    metadata: { name, namespace } = { name: "", namespace: "" },
    apiVersion = "",
    kind = "",
  } = live ?? {};
  const path = `/apis/dkp.dev/v1alpha1/namespaces/space/dkpguilds/lost?fieldManager=kustomize-controller&force=true`;
  const object = { apiVersion, kind, metadata: { name, namespace, labels: { flux: "true" } } };
  await scene.plane.call("PATCH", path, object, "application/apply-patch+yaml");
  expect((await dkp("pause", "lost", "-n", "space")).notes).toContain(
    "kustomize-controller keeps this guild as Git has it",
  );
});

/** The name of the one object of a kind that was made. */
async function made(resource: Resource): Promise<string> {
  await vi.waitFor(async () => expect(await scene.list(resource, "space")).toHaveLength(1), patience);
  const [first] = await scene.list(resource, "space");
  return first?.metadata.name ?? "";
}

describe("what is begun and followed", () => {
  beforeAll(() => scene.patch(kinds.guilds, "space", "watch", { spec: { backup: store } }));

  test("a backup is taken and waited for", async () => {
    const answer = dkp("backup", "watch", "-n", "space", "--wait");
    const name = await made(kinds.backups);
    await scene.patch(kinds.backups, "space", name, { status: { phase: "completed" } }, "status");
    const { code, out } = await answer;
    expect(code).toBe(0);
    expect(out).toMatch(/^backup\/watch-db-\d{12} begun\n.*completed$/s);
    expect(await scene.part(kinds.backups, "space", name)).toMatchObject({
      cluster: { name: "watch-db" },
      method: "plugin",
    });
    const { metadata } = (await scene.get(kinds.backups, "space", name)) ?? {};
    const cluster = await scene.get(kinds.clusters, "space", "watch-db");
    expect(metadata?.ownerReferences).toMatchObject([{ kind: "Cluster", uid: cluster?.metadata.uid }]);
  });

  test("a restore is declared, and its failure is the command's", async () => {
    const answer = dkp("restore", "watch", "-n", "space", "--to", "2026-01-01T12:00:00Z", "-w");
    const name = await made(kinds.restores);
    expect(await scene.part(kinds.restores, "space", name)).toEqual({
      guildRef: { name: "watch" },
      targetTime: "2026-01-01T12:00:00Z",
    });
    const at = "2026-01-01T12:00:00Z";
    const condition = {
      type: "Ready",
      status: "False",
      reason: "X",
      message: "no such backup",
      lastTransitionTime: at,
    };
    const status = { observedGeneration: 1, phase: "Failed", conditions: [condition] };
    await scene.patch(kinds.restores, "space", name, { status }, "status");
    const { code, out } = await answer;
    expect(out).toContain("Failed: no such backup");
    expect(code).toBe(1);
  });
});
