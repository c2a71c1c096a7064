import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { RequestOptions } from "node:https";
import { isIPv6 } from "node:net";
import { join } from "node:path";

/** How to reach one API server and be known to it. */
export type KubeConnection = {
  /** Base URL without a trailing slash, e.g. `https://10.0.0.1:443`. */
  server: string;
  tls: { ca?: string; cert?: string; key?: string; servername?: string; rejectUnauthorized?: boolean };
  /** Authentication headers of the next request; `refresh` after a 401 asks past any cache. Never logged. */
  headers(refresh?: boolean): Promise<Record<string, string>>;
  /** The namespace that the credentials name, if they do. */
  namespace?: string;
};

/** How long credentials that may rotate are reused, as client-go does with token files. */
const credentialsAgeMs = 60_000;

/** Answers what `load` answered, for as long as it is fresh. */
function cached<T>(load: () => Promise<T>, ageMs: number): (refresh?: boolean) => Promise<T> {
  let value: Promise<T> | undefined;
  let loadedAtMs = 0;
  return (refresh = false) => {
    if (value === undefined || refresh || performance.now() - loadedAtMs > ageMs) {
      loadedAtMs = performance.now();
      value = load().catch((error: unknown) => {
        value = undefined;
        throw error;
      });
    }
    return value;
  };
}

/**
 * Credentials of the pod's own service account: CA and token from `serviceAccountDir`, the token re-read from its file
 * (kubelet rotates it). Needs no client library at run time. Throws when the CA cannot be read.
 */
export function inClusterConnection(options: {
  serviceAccountDir: string;
  /** KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT as the pod sees them. */
  host: string;
  port: string;
}): KubeConnection {
  const { serviceAccountDir, host, port } = options;
  const tokenFile = join(serviceAccountDir, "token");
  const load = async () => ({ authorization: `Bearer ${(await readFile(tokenFile, "utf8")).trim()}` });
  return {
    server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
    tls: { ca: readFileSync(join(serviceAccountDir, "ca.crt"), "utf8") },
    headers: cached(load, credentialsAgeMs),
    namespace: readFileSync(join(serviceAccountDir, "namespace"), "utf8").trim(),
  };
}

/**
 * Credentials from a kubeconfig file, or of several as kubectl merges them (client certificates, tokens, exec and OIDC plugins) by client-node's KubeConfig,
 * imported only here and only when called: it costs about 85 MB.
 */
export async function connectionFromKubeConfig(
  paths: string | readonly string[],
  context?: string,
): Promise<KubeConnection> {
  const { KubeConfig } = await import("@kubernetes/client-node");
  const files = typeof paths === "string" ? [paths] : paths;
  const path = files.join(", ");
  const resolve = async () => {
    const config = new KubeConfig();
    const [first = "", ...others] = files;
    config.loadFromFile(first);
    for (const file of others) {
      const more = new KubeConfig();
      more.loadFromFile(file);
      config.mergeConfig(more, true);
    }
    if (context !== undefined) config.setCurrentContext(context);
    const https: RequestOptions = {};
    await config.applyToHTTPSOptions(https);
    return { config, https };
  };
  const first = await resolve();
  const cluster = first.config.getCurrentCluster();
  if (cluster === null)
    throw new Error(
      `The kubeconfig ${path} names no cluster in its ${context === undefined ? "current context" : `context ${context}`}.`,
    );
  if (cluster.proxyUrl !== undefined)
    throw new Error(`The kubeconfig ${path} asks for a proxy, which is not supported.`);
  const namespace = first.config.getContextObject(first.config.getCurrentContext())?.namespace;
  return {
    server: cluster.server.replace(/\/+$/, ""),
    tls: tlsOf(first.https),
    headers: cached(async () => headersOf((await resolve()).https), credentialsAgeMs),
    ...(namespace === undefined ? {} : { namespace }),
  };
}

function tlsOf(https: RequestOptions): KubeConnection["tls"] {
  const { ca, cert, key, servername, rejectUnauthorized } = https;
  return {
    ...(ca === undefined ? {} : { ca: pem(ca) }),
    ...(cert === undefined ? {} : { cert: pem(cert) }),
    ...(key === undefined ? {} : { key: pem(key) }),
    ...(servername === undefined ? {} : { servername }),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
  };
}

function headersOf(https: RequestOptions): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(https.headers ?? {}))
    if (typeof value === "string") headers[name.toLowerCase()] = value;
  if (typeof https.auth === "string")
    headers["authorization"] ??= `Basic ${Buffer.from(https.auth).toString("base64")}`;
  return headers;
}

function pem(value: unknown): string {
  return Buffer.isBuffer(value) ? value.toString("utf8") : String(value);
}
