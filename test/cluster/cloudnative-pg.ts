import { readFile } from "node:fs/promises";
import { moduleFolder } from "./binaries.ts";

/** The manifest that installs CloudNativePG 1.30.0, as its release publishes it. */
export async function cloudNativePgManifest(env: NodeJS.ProcessEnv): Promise<string> {
  const folder = await moduleFolder("cloudnative-pg", "github.com/cloudnative-pg/cloudnative-pg", env);
  return readFile(`${folder}/releases/cnpg-1.30.0.yaml`, "utf8");
}

/**
 * The same manifest for a cluster into which its image was loaded by hand as `image`: it is not looked for in a registry, and
 * may use more than a tenth of a core, so that a database is there in seconds.
 */
export function withLoadedImage(manifest: string, image: string): string {
  const published = /^\s+image: (\S+)\n\s+imagePullPolicy: Always$/m.exec(manifest)?.[1];
  const limited = /limits:\n(\s+)cpu: 100m\n/;
  if (published === undefined || !limited.test(manifest)) {
    throw new Error("The manifest of CloudNativePG is not as expected: see what changed in its release.");
  }
  return manifest
    .replaceAll(published, image)
    .replace("imagePullPolicy: Always", "imagePullPolicy: IfNotPresent")
    .replace(limited, (_, indent: string) => `limits:\n${indent}cpu: "2"\n`);
}
