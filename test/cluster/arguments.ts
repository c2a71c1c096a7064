/** Files that the API server and those who trust it need, in one folder. */
export type Files = {
  caCertificate: string;
  caKey: string;
  serverCertificate: string;
  serverKey: string;
  /** Signs and verifies service-account tokens. */
  serviceAccountKey: string;
  /** Lines of token,user,uid,groups. */
  tokens: string;
};

/** etcd on a socket in `folder`: no port to collide with, and nobody but us can reach it. */
export function etcdArguments(folder: string): string[] {
  const client = `unix://${folder}/etcd.sock`;
  const peer = `unix://${folder}/etcd-peer.sock`;
  return [
    `--data-dir=${folder}/etcd`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    // What is lost with the machine's power is a test cluster.
    "--unsafe-no-fsync",
    "--log-level=warn",
  ];
}

/** kube-apiserver with RBAC and service-account tokens, as a cluster has them. */
export function apiserverArguments(options: {
  folder: string;
  files: Files;
  bindAddress: string;
  advertiseAddress: string;
  port: number;
}): string[] {
  const { files, folder } = options;
  return [
    `--etcd-servers=unix://${folder}/etcd.sock`,
    `--bind-address=${options.bindAddress}`,
    `--advertise-address=${options.advertiseAddress}`,
    `--secure-port=${options.port}`,
    `--cert-dir=${folder}`,
    `--tls-cert-file=${files.serverCertificate}`,
    `--tls-private-key-file=${files.serverKey}`,
    `--client-ca-file=${files.caCertificate}`,
    `--token-auth-file=${files.tokens}`,
    "--authorization-mode=Node,RBAC",
    "--anonymous-auth=true",
    "--service-account-issuer=https://kubernetes.default.svc",
    `--service-account-key-file=${files.serviceAccountKey}`,
    `--service-account-signing-key-file=${files.serviceAccountKey}`,
    "--service-cluster-ip-range=10.96.0.0/16",
    "--allow-privileged=true",
    "--profiling=false",
  ];
}

/** kube-controller-manager: garbage collection, namespaces, service accounts, Deployments and the rest. */
export function controllerManagerArguments(options: { kubeconfig: string; files: Files }): string[] {
  return [
    `--kubeconfig=${options.kubeconfig}`,
    "--authorization-always-allow-paths=/healthz,/livez,/readyz",
    "--leader-elect=false",
    "--use-service-account-credentials=true",
    `--service-account-private-key-file=${options.files.serviceAccountKey}`,
    `--root-ca-file=${options.files.caCertificate}`,
    `--cluster-signing-cert-file=${options.files.caCertificate}`,
    `--cluster-signing-key-file=${options.files.caKey}`,
    // One node, many guilds: garbage should not wait in line behind a client made for gentle use.
    "--kube-api-qps=200",
    "--kube-api-burst=400",
  ];
}
