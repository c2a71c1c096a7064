import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { vi } from "vitest";
import { parse } from "yaml";
import { type Operator, type OperatorOptions, startOperator } from "../../operator/start.ts";
import { type KubeClient, kubeClient } from "../../runtime/kube/client.ts";
import { connectionFromKubeConfig } from "../../runtime/kube/config.ts";
import type { KubeObject, Resource } from "../../runtime/kube/object.ts";
import { resourcePath } from "../../runtime/kube/object.ts";
import { logger } from "../../runtime/log.ts";
import { moduleFolder } from "../cluster/binaries.ts";
import { type ControlPlane, startControlPlane } from "../cluster/control-plane.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const log = logger({
  level: process.env["TEST_LOG_LEVEL"] === "debug" ? "debug" : "silent",
  format: "json",
  name: "test",
});

const settings = {
  botImage: "dkp-bot:1",
  botImageCanary: "dkp-bot:2",
  postgresImage: "postgresql:16.6",
  discordApiUrl: "http://discord.example:8090/api",
  monitoringNamespace: "observability",
};

/** A real API server with the CRDs, the operator's rights as they are shipped, and its service account. */
export type Scene = {
  plane: ControlPlane;
  /** A client of the operator's own service account, straight to the API server or through a proxy at this URL. */
  operatorClient(via?: string): Promise<KubeClient>;
  startOperator(client: KubeClient, options?: Partial<OperatorOptions>): Operator;
  get(resource: Resource, namespace: string, name: string): Promise<KubeObject | undefined>;
  /** The spec of an object, or its status or data. Throws when the object does not exist. */
  part(resource: Resource, namespace: string, name: string, field?: string): Promise<Record<string, unknown>>;
  /** All of a kind; none where the kind is not installed. */
  list(resource: Resource, namespace: string): Promise<KubeObject[]>;
  /** A merge patch as the administrator. */
  patch(
    resource: Resource,
    namespace: string,
    name: string,
    body: unknown,
    subresource?: string,
  ): Promise<KubeObject>;
  create(resource: Resource, namespace: string, body: unknown): Promise<KubeObject>;
  remove(resource: Resource, namespace: string, name: string): Promise<void>;
  namespace(name: string): Promise<string>;
  installCloudNativePg(): Promise<void>;
  installBarmanCloud(): Promise<void>;
  stop(): Promise<void>;
};

function manifests(folder: string): KubeObject[] {
  return readdirSync(join(root, folder))
    .filter((file) => file.endsWith(".yaml") && file !== "kustomization.yaml")
    .map((file) => parse(readFileSync(join(root, folder, file), "utf8")) as KubeObject);
}

const plurals: Record<string, string> = {
  ServiceAccount: "serviceaccounts",
  ClusterRole: "clusterroles",
  ClusterRoleBinding: "clusterrolebindings",
  Role: "roles",
  RoleBinding: "rolebindings",
};

function collection({ apiVersion, kind, metadata }: KubeObject): string {
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
  const namespaced = metadata.namespace !== undefined;
  const resource = {
    group: group ?? "",
    version: version ?? "",
    kind,
    plural: plurals[kind] ?? "",
    namespaced,
  };
  return resourcePath(resource, { namespace: metadata.namespace });
}

export async function openScene(options: { cloudNativePg: boolean; controllers?: boolean }): Promise<Scene> {
  const plane = await startControlPlane({ controllers: options.controllers === true });
  const ask = async (
    method: string,
    path: string,
    body?: unknown,
    type?: string,
  ): Promise<KubeObject | undefined> => {
    const answer = await plane.call(method, path, body, type);
    if (answer.status === 404 && method === "GET") return undefined;
    if (answer.status >= 300)
      throw new Error(`${method} ${path}: ${answer.status} ${String(answer.body["message"])}`);
    return answer.body as KubeObject;
  };
  const sure = async (...call: Parameters<typeof ask>): Promise<KubeObject> => {
    const answer = await ask(...call);
    if (answer === undefined) throw new Error(`${call[0]} ${call[1]}: not found`);
    return answer;
  };
  const define = async (file: string, path: string) => {
    await sure("POST", definitions, parse(readFileSync(file, "utf8")));
    await vi.waitFor(() => sure("GET", path), { timeout: 20_000 });
  };
  const installCloudNativePg = async () => {
    const folder = await moduleFolder(
      "cloudnative-pg",
      "github.com/cloudnative-pg/cloudnative-pg",
      process.env,
    );
    const kinds = ["clusters", "databases", "databaseroles", "poolers", "scheduledbackups", "backups"];
    await Promise.all(
      kinds.map((kind) =>
        define(
          join(folder, `config/crd/bases/postgresql.cnpg.io_${kind}.yaml`),
          `/apis/postgresql.cnpg.io/v1/${kind}`,
        ),
      ),
    );
  };
  const installBarmanCloud = async () => {
    const repository = "github.com/cloudnative-pg/plugin-barman-cloud";
    const folder = await moduleFolder("barman-cloud", repository, process.env);
    await define(
      join(folder, "config/crd/bases/barmancloud.cnpg.io_objectstores.yaml"),
      "/apis/barmancloud.cnpg.io/v1/objectstores",
    );
  };
  const namespace = async (name: string) => {
    await sure("POST", "/api/v1/namespaces", { metadata: { name } });
    return name;
  };
  await define(join(root, "crds/dkpguilds.yaml"), "/apis/dkp.dev/v1alpha1/dkpguilds");
  await define(join(root, "crds/dkprestores.yaml"), "/apis/dkp.dev/v1alpha1/dkprestores");
  if (options.cloudNativePg) await installCloudNativePg();
  await namespace("dkp-system");
  for (const object of manifests("config/rbac")) await sure("POST", collection(object), object);
  const kubeconfig = await plane.kubeconfigFor({
    serviceAccount: { namespace: "dkp-system", name: "dkp-operator" },
  });
  const merge = "application/merge-patch+json";
  return {
    plane,
    operatorClient: async (via) => {
      const connection = await connectionFromKubeConfig(kubeconfig);
      return kubeClient({
        connection: via === undefined ? connection : { ...connection, server: via },
        fieldManager: "dkp-operator",
        userAgent: "dkp-operator/test",
      });
    },
    startOperator: (client, more) =>
      startOperator({
        client,
        settings,
        namespaces: [],
        workers: 8,
        settleMs: 50,
        identity: "operator-1",
        log,
        ...more,
      }),
    get: (resource, space, name) => ask("GET", resourcePath(resource, { namespace: space, name })),
    part: async (resource, space, name, field = "spec") => {
      const live = await sure("GET", resourcePath(resource, { namespace: space, name }));
      return live[field] as Record<string, unknown>;
    },
    list: async (resource, space) =>
      ((await ask("GET", resourcePath(resource, { namespace: space })))?.["items"] ?? []) as KubeObject[],
    patch: (resource, space, name, body, subresource) =>
      sure("PATCH", resourcePath(resource, { namespace: space, name, subresource }), body, merge),
    create: (resource, space, body) => sure("POST", resourcePath(resource, { namespace: space }), body),
    remove: async (resource, space, name) => {
      await sure("DELETE", resourcePath(resource, { namespace: space, name }));
    },
    namespace,
    installCloudNativePg,
    installBarmanCloud,
    stop: () => plane.stop(),
  };
}
