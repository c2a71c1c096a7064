import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Progress } from "../cluster/progress.ts";
import { connectDiscord } from "../discord/control-client.ts";
import type { RemoteDiscord } from "../discord/control-client.ts";
import { applied, container, rollout } from "./apply.ts";
import { applyBarmanCloud, applyObjectStore, applyStoreCredentials, storeOfGuilds } from "./backups.ts";
import type { Cluster } from "./cluster.ts";
import { kubectl } from "./kubectl.ts";
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
  await progress.step("Installing its plugin for backups, and an S3 server", async (detail) => {
    await applyBarmanCloud(control, cluster.images);
    await applyObjectStore(control, cluster.images);
    await rollout(control, "cnpg-system", "barman-cloud", detail);
    await rollout(control, "s3", "s3", detail);
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

/**
 * Applies config/samples with the stand-in's token instead of the placeholder, and one database instance, which fits a sandbox;
 * with `backup` it is backed up into the sandbox's S3 server.
 */
export async function applySample(control: Kubectl, { backup = false } = {}): Promise<void> {
  if (backup) await applyStoreCredentials(control, sample.namespace);
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
      spec: {
        database: { instances: 1, storage: { size: "1Gi" } },
        ...(backup ? { backup: { objectStore: storeOfGuilds } } : {}),
      },
    },
  ]);
}
