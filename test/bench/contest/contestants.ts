import { rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { binary } from "../../cluster/binaries.ts";
import { cacheFolder, fingerprint, made } from "../../cluster/cache.ts";
import { command } from "../../cluster/command.ts";
import type { Progress } from "../../cluster/progress.ts";
import { namespace } from "../api-server.ts";
import { bundleLikeOurs, bundlePrograms } from "../bundles.ts";
import { startOperator } from "../operator-process.ts";
import { type Program, program } from "../program.ts";
import type { Arena } from "./arena.ts";

export const contestantNames = [
  "ours",
  "writer",
  "controller-runtime",
  "controller-runtime-default",
  "kopf",
  "client-node",
] as const;
export type ContestantName = (typeof contestantNames)[number];

/** How a process is started on an arena; resolves when it says that it is ready. */
export type Start = (arena: Arena, options?: { guilds?: number; resyncSeconds?: number }) => Promise<Program>;

export const titles: Record<ContestantName, string> = {
  ours: "dkp-operator",
  writer: "bare writer",
  "controller-runtime": "controller-runtime, tuned alike",
  "controller-runtime-default": "controller-runtime, its defaults",
  kopf: "kopf",
  "client-node": "client-node's informers",
};

const file = (name: string) => fileURLToPath(new URL(`../peers/${name}`, import.meta.url));

/** As many guilds side by side as the operator works on by default. */
const workers = "16";

/** Builds what `names` need, in `folder` or in the cache. */
export async function prepare(
  names: ContestantName[],
  folder: string,
  progress: Progress,
): Promise<Record<ContestantName, Start>> {
  const starts: Partial<Record<ContestantName, Start>> = { writer: startWriter };
  if (names.includes("ours")) {
    const bundles = await progress.step("bundling the operator", bundlePrograms);
    process.once("exit", () => rmSync(dirname(bundles.operator), { recursive: true, force: true }));
    starts.ours = (arena, { resyncSeconds } = {}) =>
      startOperator(bundles.operator, arena.server, {
        env: resyncSeconds === undefined ? {} : { RESYNC_PERIOD: String(resyncSeconds) },
      });
  }
  if (names.some((name) => name.startsWith("controller-runtime"))) {
    const built = await binary("controller-runtime-peer", progress);
    starts["controller-runtime"] = controllerRuntime(built, ["--workers", workers, "--skip-unchanged"]);
    starts["controller-runtime-default"] = controllerRuntime(built, []);
  }
  if (names.includes("kopf")) starts.kopf = kopf(await pythonWithKopf(progress));
  if (names.includes("client-node")) {
    const bundle = join(folder, "client-node.mjs");
    await bundleLikeOurs(file("client-node/main.ts"), bundle);
    starts["client-node"] = (arena) =>
      ready(program(bundle, { nodeFlags: ["--max-semi-space-size=4"], env: environment(arena) }));
  }
  return starts as Record<ContestantName, Start>;
}

function environment({ account, templates }: Arena): Record<string, string> {
  return { KUBECONFIG: account.kubeconfig, TEMPLATES: templates, NAMESPACE: namespace, WORKERS: workers };
}

async function ready(started: Program): Promise<Program> {
  await started.line((line) => line["ready"] === true, 300_000);
  return started;
}

const startWriter: Start = async ({ account }, { guilds = 0 } = {}) => {
  const env = { ...account.env, GUILDS: String(guilds) };
  const writer = program(file("bare-writer.ts"), { nodeFlags: ["--max-semi-space-size=4"], env });
  await writer.message(({ watching }) => watching === true);
  return writer;
};

function controllerRuntime(built: string, flags: string[]): Start {
  return (arena, { resyncSeconds } = {}) => {
    const resync = resyncSeconds === undefined ? [] : ["--resync", `${resyncSeconds}s`];
    const args = ["--templates", arena.templates, "--namespace", namespace, ...flags, ...resync];
    return ready(program(built, { interpreter: "itself", args, env: environment(arena) }));
  };
}

function kopf(python: string): Start {
  return (arena) => ready(program(file("kopf/main.py"), { interpreter: python, env: environment(arena) }));
}

/** The interpreter of a virtual environment with what requirements.txt pins; made once and kept in the cache. */
async function pythonWithKopf(progress: Progress): Promise<string> {
  const requirements = file("kopf/requirements.txt");
  const name = `kopf-${fingerprint(await readFile(requirements))}`;
  const target = join(cacheFolder(process.env), "python", name);
  const folder = await made(target, "Installing kopf (once)", progress, async (unfinished) => {
    await command("python3", ["-m", "venv", unfinished]);
    const pip = ["-m", "pip", "install", "--quiet", "--require-hashes", "-r", requirements];
    await command(join(unfinished, "bin/python"), pip);
  });
  return join(folder, "bin/python");
}
