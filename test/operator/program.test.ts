import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import * as kinds from "../../operator/guild/resources.ts";
import { startCollector } from "../runtime/collector.ts";
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
  let collector: Awaited<ReturnType<typeof startCollector>>;
  let port = 0;
  let assignmentsPort = 0;

  beforeAll(async () => {
    scene = await openScene({ cloudNativePg: true });
    collector = await startCollector();
    const kubeconfig = await scene.plane.kubeconfigFor({
      serviceAccount: { namespace: "dkp-system", name: "dkp-operator" },
    });
    running = run({
      KUBECONFIG: kubeconfig,
      BOT_IMAGE: "dkp-bot:1",
      METRICS_ADDRESS: "127.0.0.1:0",
      ASSIGNMENTS_ADDRESS: "127.0.0.1:0",
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
      POD_NAME: "dkp-operator-x",
      POD_NAMESPACE: "dkp-system",
    });
    await vi.waitFor(() => {
      const line = running.lines.find((text) => text.includes('"port"'));
      ({ port = 0, assignmentsPort = 0 } = JSON.parse(line ?? "{}") as Record<string, number>);
      expect(port, running.lines.join("\n")).toBeGreaterThan(0);
    }, patience);
  });

  afterAll(async () => {
    running?.process.kill("SIGKILL");
    collector?.close();
    await scene?.stop();
  });

  const ask = async (path: string) => fetch(`http://127.0.0.1:${port}${path}`);

  const askOther = async (path: string) => fetch(`http://127.0.0.1:${assignmentsPort}${path}`);

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
    expect(metrics).toContain('dkp_guilds{phase="Ready"} 1');
    expect(metrics).toContain('dkp_guild_ready{namespace="space",guild="watch"} 1');
  });

  test("tells on a port of its own which pod leads the guild", async () => {
    expect(await (await askOther("/health")).json()).toEqual({ status: "ok", leader: true, problems: [] });
    const text = await (await askOther("/guild-assignments")).text();
    expect(JSON.parse(text)).toMatchObject([
      { guildId: "500000000000000001", namespace: "space", name: "watch", pod: "bot-0", ready: true },
    ]);
    expect(text).not.toContain("token of space");
  });

  test("logs JSON, nothing of it a secret, and ends at once on SIGTERM, giving its Lease back", async () => {
    const { password } = await scene.part(kinds.secrets, "space", "watch-runtime", "data");
    running.process.kill("SIGTERM");
    expect(await running.ended).toBe(0);
    expect(running.lines.map((line) => JSON.parse(line) as unknown).length).toBeGreaterThan(2);
    const secret = Buffer.from(String(password), "base64").toString();
    expect(running.lines.join("\n")).not.toContain(secret);
    const traces = collector.bodies("/v1/traces").join("");
    expect(traces).toContain('"name":"reconcile"');
    expect(traces).toContain('"children.created"');
    expect(traces).toContain("/apis/apps/v1/namespaces/space/deployments/watch-bot");
    expect(traces).not.toContain(secret);
    const traced = running.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(traced.find(({ phase }) => phase === "Ready")?.["trace_id"]).toMatch(/^[0-9a-f]{32}$/);
    const { holderIdentity } = await scene.part(kinds.leases, "dkp-system", "dkp-operator");
    expect(holderIdentity ?? "").toBe("");
  });
});
