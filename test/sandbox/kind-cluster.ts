import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { binary } from "../cluster/binaries.ts";
import { cacheFolder } from "../cluster/cache.ts";
import { cloudNativePgManifest } from "../cluster/cloudnative-pg.ts";
import { command } from "../cluster/command.ts";
import { npmSecrets } from "../cluster/npm-secrets.ts";
import type { Progress } from "../cluster/progress.ts";
import type { Cluster, Images } from "./cluster.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const name = "dkp";

/** A node in a Docker container, made by kind; images of others come from their registries. */
export async function kindCluster(progress: Progress, env: NodeJS.ProcessEnv): Promise<Cluster> {
  const kind = await binary("kind", progress, env);
  const kubectl = await installedKubectl(progress, env);
  const folder = join(cacheFolder(env), "kind");
  await mkdir(folder, { recursive: true });
  const kubeconfigPath = join(folder, "kubeconfig");
  const images: Images = {
    operator: "",
    bot: "",
    discord: "",
    postgresql: await publishedPostgresql(),
    barmanCloud: {
      plugin: "ghcr.io/cloudnative-pg/plugin-barman-cloud:v0.7.0",
      sidecar: "ghcr.io/cloudnative-pg/plugin-barman-cloud-sidecar:v0.7.0",
    },
    versitygw: "ghcr.io/versity/versitygw:v1.8.0",
  };
  const run = (args: string[]): Promise<{ stdout: string }> => command(kind, args, { env });
  const load = async (program: Program): Promise<string> => {
    const reference = await progress.step(`Building and loading the image of ${program}`, (detail) =>
      built(program, folder, env, detail),
    );
    await progress.step(`Loading ${reference}`, () =>
      run(["load", "docker-image", "--name", name, reference]),
    );
    return reference;
  };
  return {
    kind: "kind",
    kubeconfigPath,
    kubectlPath: kubectl,
    images,
    async up() {
      const { stdout } = await run(["get", "clusters"]);
      if (stdout.split("\n").includes(name)) {
        await run(["export", "kubeconfig", "--name", name, "--kubeconfig", kubeconfigPath]);
        progress.note("The cluster is already up.");
        return;
      }
      await progress.step("Starting a Kubernetes node in Docker", async (detail) => {
        const config = join(root, "config/kind/cluster.yaml");
        const flags = ["--config", config, "--kubeconfig", kubeconfigPath, "--wait", "180s"];
        const onLine = (line: string): void => detail(line.trim().slice(0, 70));
        await command(kind, ["create", "cluster", "--name", name, ...flags], { env, onLine });
      });
    },
    async loadImages() {
      for (const program of ["discord", "operator", "bot"] as const) {
        images[program] = await load(program);
      }
    },
    loadBrokenBot: () => load("broken-bot"),
    async installCloudNativePg() {
      const flags = [
        "--kubeconfig",
        kubeconfigPath,
        "apply",
        "--server-side",
        "--force-conflicts",
        "-f",
        "-",
      ];
      await command(kubectl, flags, { env, input: await cloudNativePgManifest(env) });
    },
    down: () =>
      progress.step("Removing the Kubernetes node", async () => {
        await run(["delete", "cluster", "--name", name, "--kubeconfig", kubeconfigPath]);
      }),
  };
}

/** Dockerfiles, and the folders they are built in: the checkout, unless another is named. */
const programs = {
  operator: { dockerfile: "Dockerfile.operator", context: ".", args: [] },
  bot: { dockerfile: "Dockerfile.bot", context: ".", args: [] },
  discord: { dockerfile: "test/cluster/Dockerfile.discord", context: ".", args: [] },
  "broken-bot": {
    dockerfile: "test/cluster/images/broken-bot.Dockerfile",
    context: "test/cluster/images",
    args: ["--build-arg", "BOT=dkp-bot:dev"],
  },
};
type Program = keyof typeof programs;

/** Builds an image from its shipped Dockerfile; the tag follows the content, so that a changed image is a new one. */
async function built(
  program: Program,
  folder: string,
  env: NodeJS.ProcessEnv,
  detail: (text: string) => void,
): Promise<string> {
  const { dockerfile, context, args: buildArgs } = programs[program];
  const repository = `dkp-${program}`;
  const scratch = await mkdtemp(join(folder, "secrets-"));
  try {
    const secrets = (await npmSecrets(scratch, env)).flatMap(({ id, path }) => [
      "--secret",
      `id=${id},src=${path}`,
    ]);
    const args = [
      "build",
      "--progress",
      "plain",
      ...secrets,
      ...buildArgs,
      "-t",
      `${repository}:dev`,
      "-f",
      join(root, dockerfile),
    ];
    const buildEnv = { ...env, DOCKER_BUILDKIT: "1" };
    await command("docker", [...args, join(root, context)], {
      env: buildEnv,
      onLine: (line) => detail(line.slice(0, 70)),
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  const { stdout } = await command("docker", [
    "image",
    "inspect",
    "--format",
    "{{.Id}}",
    `${repository}:dev`,
  ]);
  const reference = `${repository}:${stdout.trim().replace("sha256:", "").slice(0, 12)}`;
  await command("docker", ["tag", `${repository}:dev`, reference]);
  return reference;
}

/** The machine's kubectl, or one built from its Go module. */
async function installedKubectl(progress: Progress, env: NodeJS.ProcessEnv): Promise<string> {
  const installed = await command("kubectl", ["version", "--client"]).then(
    () => true,
    () => false,
  );
  return installed ? "kubectl" : binary("kubectl", progress, env);
}

/** The PostgreSQL image that the shipped configuration names. */
async function publishedPostgresql(): Promise<string> {
  const deployment = await readFile(join(root, "config/operator/deployment.yaml"), "utf8");
  const found = /name: POSTGRES_IMAGE\n\s+value: (\S+)/.exec(deployment)?.[1];
  if (found === undefined) {
    throw new Error("config/operator/deployment.yaml names no POSTGRES_IMAGE");
  }
  return found;
}
