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

/**
 * Credentials of the pod's own service account: CA and token from `serviceAccountDir`, the token re-read from its file
 * (kubelet rotates it). Needs no client library at run time.
 */
export function inClusterConnection(_options: {
  serviceAccountDir: string;
  /** KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT as the pod sees them. */
  host: string;
  port: string;
}): KubeConnection {
  throw new Error("not built yet");
}

/**
 * Credentials from a kubeconfig file (client certificates, tokens, exec and OIDC plugins) by client-node's KubeConfig,
 * imported only here and only when called: it costs about 85 MB.
 */
export async function connectionFromKubeConfig(_path: string, _context?: string): Promise<KubeConnection> {
  throw new Error("not built yet");
}
