import { writeFile } from "node:fs/promises";
import type { Credentials } from "./authority.ts";

/** Who a kubeconfig speaks as: with a client certificate or with a bearer token. */
export type Identity = Credentials | { token: string };

/** Writes a kubeconfig file for one user of one cluster; readable by its owner only. */
export async function writeKubeconfig(
  path: string,
  server: string,
  ca: string,
  identity: Identity,
): Promise<string> {
  const user =
    "token" in identity
      ? { token: identity.token }
      : {
          "client-certificate-data": base64(identity.certificate),
          "client-key-data": base64(identity.key),
        };
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "dkp", cluster: { server, "certificate-authority-data": base64(ca) } }],
    users: [{ name: "dkp", user }],
    contexts: [{ name: "dkp", context: { cluster: "dkp", user: "dkp" } }],
    "current-context": "dkp",
  };
  // JSON is YAML.
  await writeFile(path, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  return path;
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
