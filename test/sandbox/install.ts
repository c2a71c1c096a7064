import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import type { Progress } from "../cluster/progress.ts";
import { connectDiscord } from "../discord/control-client.ts";
import type { RemoteDiscord } from "../discord/control-client.ts";
import type { Cluster } from "./cluster.ts";
import { eventually, kubectl } from "./kubectl.ts";
import type { Kubectl } from "./kubectl.ts";
import { sample, sampleToken, seed } from "./cast.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const manifests = fileURLToPath(new URL("manifests", import.meta.url));

/** A cluster with CloudNativePG, the operator and Discord in it. */
export type Installation = {
  kubectl: Kubectl;
  discord: RemoteDiscord;
  /** Ends the connection to the cluster; the cluster stays. */
  disconnect(): Promise<void>;
};

/** Brings the cluster up and installs everything but a guild. Safe to repeat: what is there already stays. */
export async function install(cluster: Cluster, progress: Progress): Promise<Installation> {
  await cluster.up();
  await cluster.loadImages();
  const control = kubectl(cluster.kubectlPath, cluster.kubeconfigPath);
  await progress.step("Installing CloudNativePG", async (detail) => {
    await cluster.installCloudNativePg();
    await rollout(control, "cnpg-system", "cnpg-controller-manager", detail);
  });
  await progress.step("Installing the Discord stand-in", async (detail) => {
    const images = { "dkp-discord": cluster.images.discord };
    await applied(control, [join(manifests, "discord.yaml")], images, [
      container("discord", "discord", "discord", [{ name: "SEED", value: JSON.stringify(seed) }]),
    ]);
    await rollout(control, "discord", "discord", detail);
  });
  await progress.step("Installing dkp-operator (config/default)", async (detail) => {
    await applied(
      control,
      [join(root, "config/default")],
      { "dkp-operator": cluster.images.operator },
      operatorSettings(cluster),
    );
    await rollout(control, "dkp-system", "dkp-operator", detail);
  });
  const forward = await control.forward("discord", "discord", 8080);
  const discord = await connectDiscord(`http://127.0.0.1:${forward.port}`);
  return {
    kubectl: control,
    discord,
    async disconnect() {
      await discord.close();
      await forward.close();
    },
  };
}

/** What differs from production: the images that were loaded, and where Discord is. */
function operatorSettings({ images }: Cluster): object[] {
  const env = [
    { name: "BOT_IMAGE", value: images.bot },
    { name: "POSTGRES_IMAGE", value: images.postgresql },
    { name: "DISCORD_API_URL", value: "http://discord.discord.svc:8080/api" },
  ];
  return [container("dkp-system", "dkp-operator", "operator", env)];
}

/** A patch that sets environment variables of a Deployment's container. */
function container(namespace: string, deployment: string, name: string, env: object[]): object {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: deployment, namespace },
    spec: { template: { spec: { containers: [{ name, env }] } } },
  };
}

/** Applies config/samples with the stand-in's token instead of the placeholder, and one database instance, which fits a sandbox. */
export async function applySample(control: Kubectl): Promise<void> {
  await applied(control, [join(root, "config/samples")], {}, [
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: sample.secret, namespace: sample.namespace },
      stringData: { token: sampleToken },
    },
    {
      apiVersion: "dkp.dev/v1alpha1",
      kind: "DkpGuild",
      metadata: { name: sample.name, namespace: sample.namespace },
      spec: { database: { instances: 1, storage: { size: "1Gi" } } },
    },
  ]);
}

/** Applies manifests through a throw-away kustomization, so that what is shipped is applied as it is, images and patches apart. */
async function applied(
  control: Kubectl,
  resources: string[],
  images: Record<string, string>,
  patches: object[] = [],
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "dkp-overlay-"));
  try {
    const overlay = {
      apiVersion: "kustomize.config.k8s.io/v1beta1",
      kind: "Kustomization",
      resources: resources.map((path) => relative(folder, path)),
      images: Object.entries(images).map(([name, reference]) => {
        const colon = reference.lastIndexOf(":");
        return { name, newName: reference.slice(0, colon), newTag: reference.slice(colon + 1) };
      }),
      patches: patches.map((patch) => ({ patch: stringify(patch) })),
    };
    await writeFile(join(folder, "kustomization.yaml"), stringify(overlay));
    const rendered = await control.run(["kustomize", "--load-restrictor=LoadRestrictionsNone", folder]);
    await control.run(["apply", "--server-side", "--force-conflicts", "-f", "-"], rendered);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type DeploymentStatus = {
  spec: { replicas: number };
  metadata: { generation: number };
  status: { readyReplicas?: number; updatedReplicas?: number; observedGeneration?: number };
};

async function rollout(
  control: Kubectl,
  namespace: string,
  name: string,
  detail: (text: string) => void,
): Promise<void> {
  await eventually(`${namespace}/${name} is ready`, async () => {
    const { spec, metadata, status } = await control.json<DeploymentStatus>([
      "-n",
      namespace,
      "get",
      "deployment",
      name,
    ]);
    const { readyReplicas = 0, updatedReplicas = 0, observedGeneration = 0 } = status;
    detail(`${readyReplicas} of ${spec.replicas} ready`);
    const done = Math.min(readyReplicas, updatedReplicas) >= spec.replicas;
    return done && observedGeneration >= metadata.generation ? true : undefined;
  });
}
