import type { TestProject } from "vitest/node";
import { progressTo } from "../cluster/progress.ts";
import { openCluster } from "../sandbox/cluster.ts";
import type { Cluster } from "../sandbox/cluster.ts";
import { install } from "../sandbox/install.ts";

declare module "vitest" {
  export interface ProvidedContext {
    cluster: Pick<Cluster, "kubeconfigPath" | "kubectlPath" | "images"> & { brokenBot: string };
  }
}

const write = (text: string): void => void process.stdout.write(text);
const progress = progressTo({ write, terminal: false, everyMs: 20_000 });
let cluster: Cluster | undefined;

/** One cluster for all files: a new one, with everything in it but guilds. */
export async function setup(project: TestProject): Promise<void> {
  cluster = await openCluster(progress);
  await cluster.down();
  try {
    const installed = await install(cluster, progress);
    await installed.disconnect();
    const { kubeconfigPath, kubectlPath, images } = cluster;
    const brokenBot = await cluster.loadBrokenBot();
    project.provide("cluster", { kubeconfigPath, kubectlPath, images, brokenBot });
  } catch (cause) {
    await cluster.down();
    throw cause;
  }
}

/** Leaves nothing of it. */
export async function teardown(): Promise<void> {
  await cluster?.down();
}
