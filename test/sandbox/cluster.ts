import type { BarmanCloudImages } from "../cluster/barman-cloud.ts";
import { command } from "../cluster/command.ts";
import { unfit } from "../cluster/host.ts";
import type { Progress } from "../cluster/progress.ts";
import { kindCluster } from "./kind-cluster.ts";
import { nodeCluster } from "./node-cluster.ts";

/** A real Kubernetes cluster on this machine, in Docker or without it. */
export type Cluster = {
  kind: "kind" | "node";
  kubeconfigPath: string;
  kubectlPath: string;
  /** References by which pods name the images; complete once `loadImages` is done. */
  images: Images;
  /** Starts the cluster; one that runs already stays as it is. */
  up(): Promise<void>;
  /** Builds the images of the checkout as it is now, and loads them. */
  loadImages(): Promise<void>;
  /** Builds and loads an image of a bot that cannot run, and resolves with its reference. */
  loadBrokenBot(): Promise<string>;
  /** Applies CloudNativePG's own manifest; does not wait for it. */
  installCloudNativePg(): Promise<void>;
  /** Removes the cluster and everything in it. What was built stays cached. */
  down(): Promise<void>;
};

export type Images = {
  operator: string;
  bot: string;
  discord: string;
  postgresql: string;
  /** CloudNativePG's plugin for backups, its sidecar, and the S3 server that they go to. */
  barmanCloud: BarmanCloudImages;
  versitygw: string;
};

/** The cluster of this machine: kind where Docker answers, otherwise one node made of this machine itself. */
export async function openCluster(
  progress: Progress,
  options: { on?: Cluster["kind"]; env?: NodeJS.ProcessEnv } = {},
): Promise<Cluster> {
  const env = options.env ?? process.env;
  const on = options.on ?? ((await dockerAnswers()) ? "kind" : "node");
  if (on === "kind") {
    return kindCluster(progress, env);
  }
  const reason = unfit(process.platform, process.getuid?.() ?? -1);
  if (reason !== undefined) {
    throw new Error(reason);
  }
  return nodeCluster(progress, env);
}

async function dockerAnswers(): Promise<boolean> {
  return command("docker", ["info"], { timeoutMs: 10_000 }).then(
    () => true,
    () => false,
  );
}
