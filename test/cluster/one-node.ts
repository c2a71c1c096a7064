import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { apiserverArguments, controllerManagerArguments, etcdArguments } from "./arguments.ts";
import { certificateAuthority } from "./authority.ts";
import type { Credentials } from "./authority.ts";
import { binary } from "./binaries.ts";
import type { BinaryName } from "./binaries.ts";
import { lock } from "./cache.ts";
import { caller, etcdAnswers, writeFiles } from "./control-plane.ts";
import type { Call } from "./control-plane.ts";
import { command } from "./command.ts";
import type { CommandOptions, Output } from "./command.ts";
import { daemons, startDaemon } from "./daemon.ts";
import { installPackages, otherNode, unfit } from "./host.ts";
import { image } from "./images.ts";
import type { BuiltImage } from "./images.ts";
import { writeKubeconfig } from "./kubeconfig.ts";
import { kernelNow, network, networkUp } from "./network.ts";
import { writeNodeFiles } from "./node-files.ts";
import type { NodeFiles } from "./node-files.ts";
import { until } from "./process.ts";
import type { Progress } from "./progress.ts";

/** Everything of the running cluster lies here: configuration, data, logs, sockets, containers, volumes. */
export const clusterFolder = "/var/lib/dkp-cluster";
const nodeName = "dkp-node";
const adminKubeconfig = join(clusterFolder, "admin.kubeconfig");

const programs = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kubelet",
  "kube-proxy",
  "kubectl",
  "coredns",
  "local-path-provisioner",
] as const satisfies BinaryName[];
type Program = (typeof programs)[number];
type Paths = Record<Program, string>;

/** What was true of the machine before, to be true again afterwards. */
export type Before = { kernel: Record<string, string>; absent: string[] };

/** Folders that the kubelet and containerd make whatever they are told. */
const strays = ["/etc/cni", "/var/lib/kubelet", "/var/log/containers", "/var/log/pods"];

/** Runs kubectl as the administrator. */
export async function kubectl(args: string[], options: CommandOptions = {}): Promise<Output> {
  const program = join(clusterFolder, "kubectl");
  return command(
    existsSync(program) ? program : "kubectl",
    ["--kubeconfig", adminKubeconfig, ...args],
    options,
  );
}

/** Every server of the cluster that was started, and whether it runs; empty when the cluster is down. */
export function status(): Promise<Map<string, boolean>> {
  return daemons(clusterFolder);
}

/** The path of the administrator's kubeconfig. */
export function kubeconfig(): string {
  return adminKubeconfig;
}

/**
 * Starts a real Kubernetes node on this machine: API server, controllers, scheduler, containerd, kubelet, kube-proxy, DNS and
 * a volume provisioner. Returns when the node is ready. The machine must not run another one.
 */
export async function nodeUp(progress: Progress, env: NodeJS.ProcessEnv): Promise<void> {
  const remembered =
    (await status()).size > 0 ? "The cluster is already up, or left from a crash: end it first." : undefined;
  const reason = unfit(process.platform, process.getuid?.() ?? -1) ?? remembered ?? (await otherNode());
  if (reason !== undefined) {
    throw new Error(reason);
  }
  await installPackages(progress);
  const paths = {} as Paths;
  for (const name of programs) {
    paths[name] = await binary(name, progress, env);
  }
  const pause = await image("pause", progress, env);
  const release = await lock(`${clusterFolder}.lock`, () => undefined);
  try {
    await start(paths, pause, progress);
  } finally {
    await release();
  }
}

async function start(paths: Paths, pause: BuiltImage, progress: Progress): Promise<void> {
  const before: Before = {
    kernel: await kernelNow(),
    absent: strays.filter((path) => !existsSync(path)),
  };
  await mkdir(join(clusterFolder, "volumes"), { recursive: true, mode: 0o711 });
  await writeFile(join(clusterFolder, "before.json"), JSON.stringify(before));
  await command("ln", ["-sfn", paths.kubectl, join(clusterFolder, "kubectl")]);
  await progress.step("Making the network", networkUp);
  const plane = await progress.step("Starting the control plane", () => controlPlaneUp(paths));
  const node = await writeNodeFiles(clusterFolder, plane.kubeconfigs, plane.caCertificate);
  await progress.step("Starting containerd", async () => {
    const args = ["--config", node.containerd];
    const server = await startDaemon(clusterFolder, "containerd", "/usr/bin/containerd", args);
    await until("containerd should answer", server, async () => (await ctr(["version"])) !== undefined);
    await loadImage(pause);
  });
  await progress.step("Waiting for the node to be ready", () => workersUp(paths, node, plane));
}

/** Imports an OCI archive into the node, unless the image is there already. */
export async function loadImage({ archive, reference }: BuiltImage): Promise<void> {
  const known = await ctr(["-n", "k8s.io", "images", "ls", "-q", `name==${reference}`]);
  if (known.stdout.trim() === "") {
    await ctr(["-n", "k8s.io", "images", "import", archive]);
  }
}

/** Runs containerd's own client. */
export function ctr(args: string[]): Promise<Output> {
  return command("/usr/bin/ctr", ["--address", join(clusterFolder, "run/containerd.sock"), ...args]);
}

type Plane = {
  call: Call;
  caCertificate: string;
  kubeconfigs: { dns: string; proxy: string; kubelet: string; admin: string };
};

async function controlPlaneUp(paths: Paths): Promise<Plane> {
  const folder = clusterFolder;
  const authority = await certificateAuthority("dkp one-node cluster");
  const token = randomBytes(24).toString("hex");
  const files = await writeFiles(folder, authority, token, [
    { type: "ip", value: network.address },
    { type: "ip", value: "10.96.0.1" },
  ]);
  const url = `https://${network.address}:${network.apiserverPort}`;
  const call = caller(url, authority.certificate, { token });
  const config = async (name: string, user: string, ...groups: string[]): Promise<string> => {
    const path = join(folder, `${name}.kubeconfig`);
    return writeKubeconfig(path, url, authority.certificate, await authority.client(user, groups));
  };
  const admin = await config("admin", "admin", "system:masters");
  const toKubelet = await writeCredentials(
    folder,
    await authority.client("kube-apiserver", ["system:masters"]),
  );

  const etcd = await startDaemon(folder, "etcd", paths.etcd, etcdArguments(folder));
  await until("etcd should listen", etcd, () => etcdAnswers(folder));
  const apiserver = await startDaemon(folder, "kube-apiserver", paths["kube-apiserver"], [
    ...apiserverArguments({
      folder,
      files,
      // The bridge's address: pods and this machine reach it, nobody else does.
      bindAddress: network.address,
      advertiseAddress: network.address,
      port: network.apiserverPort,
    }),
    `--kubelet-client-certificate=${toKubelet.certificate}`,
    `--kubelet-client-key=${toKubelet.key}`,
    "--kubelet-preferred-address-types=InternalIP",
  ]);
  await until(
    "kube-apiserver should be ready",
    apiserver,
    async () => (await call("GET", "/readyz")).status === 200,
  );
  await startDaemon(folder, "kube-controller-manager", paths["kube-controller-manager"], [
    ...controllerManagerArguments({
      kubeconfig: await config("controller-manager", "system:kube-controller-manager"),
      files,
    }),
    "--bind-address=127.0.0.1",
    "--secure-port=0",
  ]);
  await startDaemon(folder, "kube-scheduler", paths["kube-scheduler"], [
    `--kubeconfig=${await config("scheduler", "system:kube-scheduler")}`,
    "--leader-elect=false",
    "--secure-port=0",
  ]);
  return {
    call,
    caCertificate: files.caCertificate,
    kubeconfigs: {
      admin,
      dns: admin,
      proxy: await config("proxy", "system:kube-proxy"),
      kubelet: await config("kubelet", `system:node:${nodeName}`, "system:nodes"),
    },
  };
}

async function writeCredentials(folder: string, credentials: Credentials): Promise<Credentials> {
  const certificate = join(folder, "kubelet-client.crt");
  const key = join(folder, "kubelet-client.key");
  await writeFile(certificate, credentials.certificate);
  await writeFile(key, credentials.key, { mode: 0o600 });
  return { certificate, key };
}

async function workersUp(paths: Paths, files: NodeFiles, plane: Plane): Promise<void> {
  const { kubeconfigs, call } = plane;
  const proxy = await startDaemon(clusterFolder, "kube-proxy", paths["kube-proxy"], [
    `--config=${files.kubeProxy}`,
    `--hostname-override=${nodeName}`,
  ]);
  const kubelet = await startDaemon(clusterFolder, "kubelet", paths.kubelet, [
    `--config=${files.kubelet}`,
    `--kubeconfig=${kubeconfigs.kubelet}`,
    `--root-dir=${files.kubeletRoot}`,
    `--cert-dir=${join(clusterFolder, "kubelet-certificates")}`,
    `--hostname-override=${nodeName}`,
    `--node-ip=${network.address}`,
  ]);
  const dns = await startDaemon(clusterFolder, "coredns", paths.coredns, ["-conf", files.corefile]);
  const manifest = new URL("local-path.yaml", import.meta.url);
  await kubectl(["apply", "-f", "-"], { input: await readFile(manifest, "utf8") });
  await startDaemon(clusterFolder, "local-path-provisioner", paths["local-path-provisioner"], [
    "start",
    `--kubeconfig=${kubeconfigs.admin}`,
    `--config=${files.localPath}`,
    `--helper-pod-file=${files.helperPod}`,
    "--helper-image=localhost/pause:1",
  ]);
  await until("the node should be ready", kubelet, () => nodeReady(call), 120_000);
  const healthy = `http://${network.address}:10256/healthz`;
  await until("kube-proxy should be healthy", proxy, async () => (await fetch(healthy)).ok);
  await until("CoreDNS should be ready", dns, async () => (await fetch("http://127.0.0.1:8181/ready")).ok);
}

async function nodeReady(call: Call): Promise<boolean> {
  const { body } = await call("GET", `/api/v1/nodes/${nodeName}`);
  const conditions = (body["status"] as { conditions?: { type: string; status: string }[] } | undefined)
    ?.conditions;
  return conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
}
