import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { network } from "./network.ts";

/** Where the parts of the node keep what they need, all below one folder. */
export type NodeFiles = {
  containerd: string;
  containerdSocket: string;
  kubelet: string;
  kubeletRoot: string;
  kubeProxy: string;
  corefile: string;
  localPath: string;
  helperPod: string;
};

/** Writes the configuration of containerd, CNI, kubelet, kube-proxy, CoreDNS and the volume provisioner. */
export async function writeNodeFiles(
  folder: string,
  kubeconfigs: { dns: string; proxy: string },
  caCertificate: string,
): Promise<NodeFiles> {
  const write = async (name: string, text: string): Promise<string> => {
    const path = join(folder, name);
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, text);
    return path;
  };
  const containerdSocket = join(folder, "run/containerd.sock");
  await write("cni/10-dkp.conflist", json(cni(folder)));
  return {
    containerdSocket,
    containerd: await write("containerd.toml", containerd(folder, containerdSocket)),
    kubeletRoot: join(folder, "kubelet"),
    kubelet: await write("kubelet.yaml", json(kubelet(folder, containerdSocket, caCertificate))),
    kubeProxy: await write("kube-proxy.yaml", json(kubeProxy(kubeconfigs.proxy))),
    corefile: await write("Corefile", corefile(kubeconfigs.dns)),
    localPath: await write("local-path.json", json(localPath(folder))),
    helperPod: await write("helper-pod.yaml", json(helperPod)),
  };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function containerd(folder: string, socket: string): string {
  return `version = 2
root = "${folder}/containerd"
state = "${folder}/run/containerd"
oom_score = 0

[grpc]
  address = "${socket}"

[plugins."io.containerd.internal.v1.opt"]
  path = "${folder}/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  # A machine that may not lower OOM scores (no CAP_SYS_RESOURCE) would otherwise run no container at all.
  restrict_oom_score_adj = true
  # What a crash leaves is then found below our own folder.
  netns_mounts_under_state_dir = true

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${folder}/cni"
`;
}

function cni(folder: string): unknown {
  return {
    cniVersion: "0.4.0",
    name: "dkp",
    plugins: [
      {
        type: "bridge",
        bridge: network.bridge,
        isGateway: true,
        hairpinMode: true,
        ipam: {
          type: "host-local",
          dataDir: `${folder}/ipam`,
          ranges: [[{ subnet: network.pods, rangeStart: "10.88.1.1" }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  };
}

function kubelet(folder: string, socket: string, caCertificate: string): unknown {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    address: network.address,
    healthzPort: 0,
    authentication: { anonymous: { enabled: false }, x509: { clientCAFile: caCertificate } },
    authorization: { mode: "Webhook" },
    podLogsDir: `${folder}/log/pods`,
    containerRuntimeEndpoint: `unix://${socket}`,
    clusterDNS: [network.address],
    clusterDomain: "cluster.local",
    resolvConf: "",
    failCgroupV1: false,
    failSwapOn: false,
    cgroupDriver: "cgroupfs",
    cgroupsPerQOS: false,
    enforceNodeAllocatable: [],
    // The disk belongs to the machine, not to us: how full it is must not evict anybody.
    evictionHard: { "memory.available": "100Mi" },
    imageGCHighThresholdPercent: 100,
    imageMinimumGCAge: "24h",
    maxPods: 200,
  };
}

function kubeProxy(kubeconfig: string): unknown {
  return {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "iptables",
    clusterCIDR: network.pods,
    clientConnection: { kubeconfig },
    conntrack: { maxPerCore: 0 },
    healthzBindAddress: `${network.address}:10256`,
    metricsBindAddress: `${network.address}:10249`,
    nodePortAddresses: ["127.0.0.0/8"],
  };
}

function corefile(kubeconfig: string): string {
  return `.:53 {
    bind ${network.address}
    errors
    ready 127.0.0.1:8181
    kubernetes cluster.local in-addr.arpa {
        kubeconfig ${kubeconfig}
        pods insecure
        ttl 5
    }
    cache 5
}
`;
}

function localPath(folder: string): unknown {
  return {
    nodePathMap: [{ node: "DEFAULT_PATH_FOR_NON_LISTED_NODES", paths: [`${folder}/volumes`] }],
  };
}

const helperPod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "helper-pod" },
  spec: {
    containers: [{ name: "helper-pod", image: "localhost/pause:1", imagePullPolicy: "IfNotPresent" }],
  },
};
