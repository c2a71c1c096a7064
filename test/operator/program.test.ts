import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import * as kinds from "../../operator/guild/resources.ts";
import { everybodyPlays, makeGuild, makeToken } from "./players.ts";
import { type Scene, openScene } from "./scene.ts";
import { patience, reachesPhase } from "./status.ts";

const program = fileURLToPath(new URL("../../operator/main.ts", import.meta.url));

type Running = { process: ChildProcess; lines: string[]; ended: Promise<number | null> };

function run(environment: Record<string, string>): Running {
  const child = spawn(process.execPath, [program], {
    env: { PATH: process.env["PATH"] ?? "", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream
      .setEncoding("utf8")
      .on("data", (text: string) => lines.push(...text.split("\n").filter((line) => line !== "")));
  }
  return { process: child, lines, ended: once(child, "exit").then(([code]) => code as number | null) };
}

test("a wrong environment is told all at once, without its values", async () => {
  const { lines, ended } = run({ WORKERS: "many", LOG_LEVEL: "secret-value", METRICS_ADDRESS: "nowhere" });
  expect(await ended).toBe(1);
  const text = lines.join("\n");
  for (const name of ["BOT_IMAGE", "POD_NAME", "POD_NAMESPACE", "WORKERS", "LOG_LEVEL", "METRICS_ADDRESS"])
    expect(text).toContain(name);
  expect(text).not.toContain("secret-value");
});

describe("the program, with the rights it is shipped with", () => {
  let scene: Scene;
  let running: Running;
  let port = 0;

  beforeAll(async () => {
    scene = await openScene({ cloudNativePg: true });
    const kubeconfig = await scene.plane.kubeconfigFor({
      serviceAccount: { namespace: "dkp-system", name: "dkp-operator" },
    });
    running = run({
      KUBECONFIG: kubeconfig,
      BOT_IMAGE: "dkp-bot:1",
      METRICS_ADDRESS: "127.0.0.1:0",
      POD_NAME: "dkp-operator-x",
      POD_NAMESPACE: "dkp-system",
    });
    await vi.waitFor(() => {
      const line = running.lines.find((text) => text.includes('"port"'));
      port = (JSON.parse(line ?? "{}") as { port?: number }).port ?? 0;
      expect(port, running.lines.join("\n")).toBeGreaterThan(0);
    }, patience);
  });

  afterAll(async () => {
    running?.process.kill("SIGKILL");
    await scene?.stop();
  });

  const ask = async (path: string) => fetch(`http://127.0.0.1:${port}${path}`);

  test("becomes ready and brings a guild up", async () => {
    await vi.waitFor(async () => expect((await ask("/readyz")).status).toBe(200), patience);
    expect((await ask("/healthz")).status).toBe(200);
    const namespace = await scene.namespace("space");
    await makeToken(scene, namespace);
    await scene.create(kinds.guilds, namespace, makeGuild("watch", "500000000000000001"));
    const players = everybodyPlays(scene, namespace, "watch");
    await reachesPhase(scene, namespace, "watch", "Ready");
    await players.stop();
    const metrics = await (await ask("/metrics")).text();
    expect(metrics).toMatch(
      /controller_runtime_reconcile_total\{[^}]*result="(success|requeue_after)"[^}]*\} [1-9]/,
    );
    expect(metrics).not.toMatch(/rest_client_requests_total\{[^}]*code="403"/);
    expect(metrics).toMatch(/leader_election_master_status\{[^}]*\} 1/);
  });

  test("logs JSON, nothing of it a secret, and ends at once on SIGTERM, giving its Lease back", async () => {
    const { password } = await scene.part(kinds.secrets, "space", "watch-runtime", "data");
    running.process.kill("SIGTERM");
    expect(await running.ended).toBe(0);
    expect(running.lines.map((line) => JSON.parse(line) as unknown).length).toBeGreaterThan(2);
    expect(running.lines.join("\n")).not.toContain(Buffer.from(String(password), "base64").toString());
    const { holderIdentity } = await scene.part(kinds.leases, "dkp-system", "dkp-operator");
    expect(holderIdentity ?? "").toBe("");
  });
});
