import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { command } from "./command.ts";

/** Settings of npm that decide where packages come from and whom to trust. */
const kept = /^(registry|@[^:]+:registry|proxy|https-proxy|noproxy|strict-ssl|\/\/.*)$/;

/**
 * What npm on this machine is told about registries, proxies and certificates, as files for the build secrets `npmrc` and
 * `ca`: a build in a container can then fetch packages wherever this machine can, and nothing of it stays in the image.
 */
export async function npmSecrets(
  folder: string,
  env: NodeJS.ProcessEnv,
): Promise<{ id: string; path: string }[]> {
  const { stdout } = await command("npm", ["config", "list", "--json"], { env });
  const config = JSON.parse(stdout) as Record<string, unknown>;
  const lines = Object.entries(config)
    .filter(([key, value]) => kept.test(key) && value !== null && value !== "")
    .map(([key, value]) => `${key}=${String(value)}`);
  const bundles = [config["cafile"], env["NODE_EXTRA_CA_CERTS"]].filter(
    (path): path is string => typeof path === "string" && path !== "",
  );
  const authorities = await Promise.all(bundles.map((path) => readFile(path, "utf8").catch(() => "")));
  if (authorities.some((text) => text !== "")) {
    lines.push("cafile=/run/secrets/ca");
  }
  const npmrc = join(folder, "npmrc");
  const ca = join(folder, "ca");
  await writeFile(npmrc, `${lines.join("\n")}\n`, { mode: 0o600 });
  await writeFile(ca, authorities.join("\n"), { mode: 0o600 });
  return [
    { id: "npmrc", path: npmrc },
    { id: "ca", path: ca },
  ];
}
