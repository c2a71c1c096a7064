import { readFile } from "node:fs/promises";
import { parseAllDocuments, stringify } from "yaml";
import type { Credentials } from "./authority.ts";
import { moduleFolder } from "./binaries.ts";

type KubeObject = { kind: string; metadata: { name: string }; [field: string]: unknown };

/** Images of the plugin and of the sidecar that it puts beside PostgreSQL. */
export type BarmanCloudImages = { plugin: string; sidecar: string };

/** The manifest that installs CloudNativePG's Barman Cloud plugin 0.7.0, as its module holds it. */
export async function barmanCloudManifest(env: NodeJS.ProcessEnv): Promise<string> {
  const folder = await moduleFolder("barman-cloud", "github.com/cloudnative-pg/plugin-barman-cloud", env);
  return readFile(`${folder}/manifest.yaml`, "utf8");
}

/** Names and hosts that the certificates of the plugin must carry, for which its manifest asks cert-manager. */
export const barmanCloudTls = {
  namespace: "cnpg-system",
  server: { secret: "barman-cloud-server-tls", host: "barman-cloud" },
  client: { secret: "barman-cloud-client-tls", user: "barman-cloud-client" },
};

/**
 * The same manifest for a cluster without cert-manager, whose certificates come as Secrets of their own: its requests for
 * certificates are left out. Its images are the ones given, and its readiness is looked at every second, since people wait.
 */
export function withoutCertManager(manifest: string, images: BarmanCloudImages): string {
  const objects = parseAllDocuments(manifest).map((document) => document.toJS() as KubeObject);
  const settings = objects.find(({ kind }) => kind === "Secret");
  const deployment = objects.find(({ kind }) => kind === "Deployment");
  const container = (
    deployment as { spec?: { template: { spec: { containers: Record<string, unknown>[] } } } } | undefined
  )?.spec?.template.spec.containers[0];
  if (settings === undefined || container === undefined) {
    throw new Error(
      "The manifest of the Barman Cloud plugin is not as expected: see what changed in its release.",
    );
  }
  settings["data"] = { SIDECAR_IMAGE: Buffer.from(images.sidecar).toString("base64") };
  container["image"] = images.plugin;
  container["readinessProbe"] = { tcpSocket: { port: 9090 }, periodSeconds: 1 };
  return objects
    .filter((object) => object["apiVersion"] !== "cert-manager.io/v1")
    .map((object) => stringify(object))
    .join("---\n");
}

/** A certificate with its key as Kubernetes stores it, and its issuer, because each side trusts what the other's Secret holds. */
export function tlsSecret(name: string, { certificate, key }: Credentials, issuer: Credentials): string {
  return stringify({
    apiVersion: "v1",
    kind: "Secret",
    type: "kubernetes.io/tls",
    metadata: { name, namespace: barmanCloudTls.namespace },
    stringData: { "tls.crt": `${certificate}\n${issuer.certificate}`, "tls.key": key },
  });
}
