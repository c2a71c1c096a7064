import { join } from "node:path";
import { cloudNativePgManifest, withLoadedImage } from "../cluster/cloudnative-pg.ts";
import { image } from "../cluster/images.ts";
import { nodeDown } from "../cluster/one-node-down.ts";
import { clusterFolder, kubeconfig, kubectl, loadImage, nodeUp, status } from "../cluster/one-node.ts";
import type { Progress } from "../cluster/progress.ts";
import type { Cluster, Images } from "./cluster.ts";

/** A node made of this machine itself: etcd, kube-apiserver, containerd, kubelet and the rest as plain processes. */
export function nodeCluster(progress: Progress, env: NodeJS.ProcessEnv): Cluster {
  const images: Images = {
    operator: "",
    bot: "",
    discord: "",
    postgresql: "",
    barmanCloud: { plugin: "", sidecar: "" },
    versitygw: "",
  };
  const load = async (name: Parameters<typeof image>[0]): Promise<string> => {
    const built = await image(name, progress, env);
    await progress.step(`Loading ${built.reference}`, () => loadImage(built));
    return built.reference;
  };
  return {
    kind: "node",
    kubeconfigPath: kubeconfig(),
    kubectlPath: join(clusterFolder, "kubectl"),
    images,
    async up() {
      const running = await status();
      if (running.size > 0 && [...running.values()].every(Boolean)) {
        progress.note("The cluster is already up.");
        return;
      }
      // What a crash or a reboot left must not be mixed up with a new start.
      await nodeDown(progress, env);
      await nodeUp(progress, env);
    },
    async loadImages() {
      for (const name of ["postgresql", "versitygw", "discord", "operator", "bot"] as const) {
        images[name] = await load(name);
      }
      const barmanCloud = await load("barman-cloud");
      images.barmanCloud = { plugin: barmanCloud, sidecar: barmanCloud };
    },
    loadBrokenBot: () => load("broken-bot"),
    async installCloudNativePg() {
      const manifest = withLoadedImage(await cloudNativePgManifest(env), await load("cloudnative-pg"));
      await kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], { input: manifest });
    },
    down: () => nodeDown(progress, env),
  };
}
