import { readFile } from "node:fs/promises";
import { moduleFolder } from "./binaries.ts";

/** The manifest that installs CloudNativePG 1.30.0, as its release publishes it. */
export async function cloudNativePgManifest(env: NodeJS.ProcessEnv): Promise<string> {
  const folder = await moduleFolder("cloudnative-pg", "github.com/cloudnative-pg/cloudnative-pg", env);
  return readFile(`${folder}/releases/cnpg-1.30.0.yaml`, "utf8");
}

/**
 * The same manifest for a cluster whose images were loaded by hand: its image is not looked for in a registry, and it may use
 * more than a tenth of a core, so that a database is there in seconds.
 */
export function withLoadedImages(manifest: string): string {
  const loaded = manifest
    .replace("imagePullPolicy: Always", "imagePullPolicy: IfNotPresent")
    .replace(/limits:\n(\s+)cpu: 100m\n/, (_, indent: string) => `limits:\n${indent}cpu: "2"\n`);
  if (loaded === manifest) {
    throw new Error("The manifest of CloudNativePG is not as expected: see what changed in its release.");
  }
  return loaded;
}
