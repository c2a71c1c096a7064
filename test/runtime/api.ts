import { kubeClient, type KubeClient, type KubeClientOptions } from "../../runtime/kube/client.ts";
import type { KubeConnection } from "../../runtime/kube/config.ts";
import type { KubeObject, Resource } from "../../runtime/kube/object.ts";
import { logger } from "../../runtime/log.ts";
import type { ControlPlane } from "../cluster/control-plane.ts";

export const silent = logger({ level: "silent", format: "json", name: "test" });

export const configMaps: Resource = {
  group: "",
  version: "v1",
  kind: "ConfigMap",
  plural: "configmaps",
  namespaced: true,
};
export const secrets: Resource = {
  group: "",
  version: "v1",
  kind: "Secret",
  plural: "secrets",
  namespaced: true,
};
export const namespaces: Resource = {
  group: "",
  version: "v1",
  kind: "Namespace",
  plural: "namespaces",
  namespaced: false,
};

export type ConfigMap = KubeObject & { data?: Record<string, string> };

export function configMap(namespace: string, name: string, data: Record<string, string> = {}): ConfigMap {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name }, data };
}

/** Connects as the administrator, directly or through a proxy. */
export function adminConnection(plane: ControlPlane, via?: string): KubeConnection {
  return {
    server: via ?? plane.url,
    tls: { ca: plane.ca },
    headers: async () => ({ authorization: `Bearer ${plane.adminToken}` }),
  };
}

export function adminClient(
  plane: ControlPlane,
  via?: string,
  options: Partial<KubeClientOptions> = {},
  make: typeof kubeClient = kubeClient,
): KubeClient {
  return make({
    connection: adminConnection(plane, via),
    fieldManager: "runtime-test",
    userAgent: "runtime-test",
    ...options,
  });
}

let namespaceCount = 0;

/** A namespace of its own for one test. */
export async function freshNamespace(client: KubeClient): Promise<string> {
  const name = `test-${process.pid}-${(namespaceCount += 1)}`;
  await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  return name;
}
