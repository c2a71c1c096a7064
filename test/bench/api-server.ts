import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import * as kinds from "../../operator/guild/resources.ts";
import { type KubeClient, kubeClient } from "../../runtime/kube/client.ts";
import { inClusterConnection } from "../../runtime/kube/config.ts";
import type { KubeObject, Resource } from "../../runtime/kube/object.ts";
import { moduleFolder } from "../cluster/binaries.ts";
import { type ControlPlane, startControlPlane } from "../cluster/control-plane.ts";
import { writeKubeconfig } from "../cluster/kubeconfig.ts";
import { silent } from "../cluster/progress.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** No run takes longer. */
const dayS = 86_400;

/** Where all guilds of the bench live. */
export const namespace = "guilds";

/** Guild number `index`, its Secret and its Discord id. */
export function guildName(index: number): string {
  return `guild-${String(index).padStart(5, "0")}`;
}

/** A process reads them from its environment or from a file. */
export type Account = { env: Record<string, string>; kubeconfig: string };

/** A fresh API server with the CRDs, the operator's rights, and a Discord token for each guild. */
export type ApiServer = {
  plane: ControlPlane;
  admin: KubeClient;
  /** Environment of a process that speaks to it as the administrator, or as the operator's service account. */
  adminEnv: Record<string, string>;
  operatorEnv: Record<string, string>;
  /** Credentials of a service account in the operator's namespace. */
  account(name: string): Promise<Account>;
  /** Creates guild after guild, sixteen at a time. */
  createGuilds(count: number): Promise<void>;
  /** The page of metrics of kube-apiserver. */
  metrics(): Promise<string>;
  stop(): Promise<void>;
};

const cluster = (group: string, kind: string, plural: string): Resource => ({
  group,
  version: "v1",
  kind,
  plural,
  namespaced: false,
});
const rbac = "rbac.authorization.k8s.io";
const installed: Resource[] = [
  kinds.serviceAccounts,
  kinds.roles,
  kinds.roleBindings,
  cluster(rbac, "ClusterRole", "clusterroles"),
  cluster(rbac, "ClusterRoleBinding", "clusterrolebindings"),
];
const definitions = cluster("apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions");

/** Starts it, with further flags of kube-apiserver; takes a few seconds. */
export async function startApiServer(guilds: number, apiserverFlags: string[] = []): Promise<ApiServer> {
  const plane = await startControlPlane({ progress: silent, apiserverFlags });
  const folder = await mkdtemp(join(tmpdir(), "dkp-bench-"));
  const { hostname: host, port } = new URL(plane.url);
  const credentials = async (name: string, token: string) => {
    const serviceAccountDir = join(folder, name);
    await mkdir(serviceAccountDir);
    for (const [file, text] of Object.entries({ token, namespace: "dkp-system", "ca.crt": plane.ca }))
      await writeFile(join(serviceAccountDir, file), text, { mode: 0o600 });
    return {
      SERVICE_ACCOUNT_DIR: serviceAccountDir,
      KUBERNETES_SERVICE_HOST: host,
      KUBERNETES_SERVICE_PORT: port,
    };
  };
  const adminEnv = await credentials("admin", plane.adminToken);
  const admin = kubeClient({
    connection: inClusterConnection({ serviceAccountDir: adminEnv.SERVICE_ACCOUNT_DIR, host, port }),
    fieldManager: "bench",
    userAgent: "dkp-bench",
    connections: 16,
  });
  await install(admin);
  const account = async (name: string): Promise<Account> => {
    const token = await tokenOf(plane, name);
    const file = join(folder, `${name}.kubeconfig`);
    return {
      env: await credentials(name, token),
      kubeconfig: await writeKubeconfig(file, plane.url, plane.ca, { token }),
    };
  };
  const { env: operatorEnv } = await account("dkp-operator");
  await eachOf(guilds, (index) => admin.create(kinds.secrets, discordToken(index)));
  return {
    plane,
    admin,
    adminEnv,
    operatorEnv,
    account,
    createGuilds: (count) => eachOf(count, (index) => admin.create(kinds.guilds, guild(index))),
    metrics: () => admin.raw("/metrics"),
    async stop() {
      await admin.close();
      await plane.stop();
      await rm(folder, { recursive: true });
    },
  };
}

async function tokenOf({ call }: ControlPlane, name: string): Promise<string> {
  const path = `/api/v1/namespaces/dkp-system/serviceaccounts/${name}/token`;
  const spec = { expirationSeconds: dayS };
  const { body } = await call("POST", path, {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec,
  });
  return (body["status"] as { token: string }).token;
}

async function install(admin: KubeClient): Promise<void> {
  const cnpg = await moduleFolder("cloudnative-pg", "github.com/cloudnative-pg/cloudnative-pg", process.env);
  await define(admin, join(root, "crds/dkpguilds.yaml"), kinds.guilds);
  await define(admin, join(cnpg, "config/crd/bases/postgresql.cnpg.io_clusters.yaml"), kinds.clusters);
  for (const name of ["dkp-system", namespace])
    await admin.create(kinds.namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  const folder = join(root, "config/rbac");
  for (const file of await readdir(folder)) {
    const object = parse(await readFile(join(folder, file), "utf8")) as KubeObject;
    const resource = installed.find(({ kind }) => kind === object.kind);
    if (resource !== undefined) await admin.create(resource, object);
  }
}

async function define(admin: KubeClient, file: string, resource: Resource): Promise<void> {
  await admin.create(definitions, parse(await readFile(file, "utf8")) as KubeObject);
  for (let left = 200; ; left -= 1) {
    try {
      await admin.list(resource, { limit: 1 });
      return;
    } catch (error) {
      if (left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** Works on numbers below `count`, sixteen at a time. */
export async function eachOf(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}

function discordToken(index: number): KubeObject {
  const name = `${guildName(index)}-discord`;
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace },
    stringData: { token: `placeholder ${index}` },
  };
}

function guild(index: number): KubeObject {
  const name = guildName(index);
  return {
    apiVersion: "dkp.dev/v1alpha1",
    kind: "DkpGuild",
    metadata: { name, namespace },
    spec: {
      guildId: String(700_000_000_000_000_000n + BigInt(index)),
      discord: { tokenSecretRef: { name: `${name}-discord` } },
      rules: { auctions: { minimumBid: 10, increment: 5 }, locale: "en-GB", timeZone: "Europe/London" },
    },
  };
}
