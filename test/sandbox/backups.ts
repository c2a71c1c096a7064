import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { certificateAuthority } from "../cluster/authority.ts";
import {
  barmanCloudManifest,
  barmanCloudTls,
  tlsSecret,
  withoutCertManager,
} from "../cluster/barman-cloud.ts";
import { applied, container } from "./apply.ts";
import { objectStore } from "./cast.ts";
import type { Images } from "./cluster.ts";
import type { Kubectl } from "./kubectl.ts";

const manifests = fileURLToPath(new URL("manifests", import.meta.url));

/** Applies CloudNativePG's plugin for backups, which CloudNativePG finds by itself; does not wait for it. */
export async function applyBarmanCloud(
  control: Kubectl,
  images: Images,
  env: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  const { namespace, server, client } = barmanCloudTls;
  const secrets = ["-n", namespace, "get", "secret", server.secret, client.secret, "--ignore-not-found"];
  // The plugin reads them once, so those of a running one stay as they are.
  if ((await control.run([...secrets, "-o", "name"])).trim().split("\n").length < 2) {
    const authority = await certificateAuthority("dkp barman-cloud");
    const serving = await authority.server([{ type: "dns", value: server.host }]);
    const calling = await authority.client(client.user);
    const both = [tlsSecret(server.secret, serving, authority), tlsSecret(client.secret, calling, authority)];
    await apply(control, both.join("---\n"));
  }
  await apply(control, withoutCertManager(await barmanCloudManifest(env), images.barmanCloud));
}

/** Applies the S3 server that backups go to; does not wait for it. */
export async function applyObjectStore(control: Kubectl, images: Images): Promise<void> {
  await applied(control, [join(manifests, "s3.yaml")], { versitygw: images.versitygw }, [
    container("s3", "s3", "s3", [
      { name: "BUCKET", value: objectStore.bucket },
      { name: "ROOT_ACCESS_KEY_ID", value: objectStore.accessKeyId },
      { name: "ROOT_SECRET_ACCESS_KEY", value: objectStore.secretAccessKey },
    ]),
  ]);
}

/** What a DkpGuild says to be backed up into that server. */
export const storeOfGuilds = {
  endpoint: objectStore.endpoint,
  bucket: objectStore.bucket,
  secretRef: { name: objectStore.secret },
};

/** Writes the Secret that `storeOfGuilds` names into a namespace, which is made when it is not there. */
export async function applyStoreCredentials(control: Kubectl, namespace: string): Promise<void> {
  const credentials = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: objectStore.secret, namespace },
    stringData: { ACCESS_KEY_ID: objectStore.accessKeyId, ACCESS_SECRET_KEY: objectStore.secretAccessKey },
  };
  const home = { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } };
  await apply(control, [home, credentials].map((object) => stringify(object)).join("---\n"));
}

async function apply(control: Kubectl, manifest: string): Promise<void> {
  await control.run(["apply", "--server-side", "--force-conflicts", "-f", "-"], manifest);
}
