import { execFile } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Files of the programs that are measured, out of reach of whoever bundles meanwhile. */
export type Bundles = {
  operator: string;
  bot: string;
  discord: string;
  bareClient: string;
  remove(): Promise<void>;
};

/** Bundles the programs as the images have them, and the bare client in the same way. */
export async function bundlePrograms(): Promise<Bundles> {
  const folder = await mkdtemp(join(tmpdir(), "dkp-bench-bundles-"));
  await promisify(execFile)(process.execPath, ["config/build.ts", "operator", "bot", "discord"], {
    cwd: root,
  });
  await cp(join(root, "dist"), folder, { recursive: true });
  const bareClient = join(folder, "bare-client.mjs");
  await bundleLikeOurs(join(root, "test/bench/peers/bare-client.ts"), bareClient);
  const file = (name: string) => join(folder, `${name}.mjs`);
  return {
    operator: file("operator"),
    bot: file("bot"),
    discord: file("discord"),
    bareClient,
    remove: () => rm(folder, { recursive: true }),
  };
}

/** Bundles one file in the way in which the images' programs are. */
export async function bundleLikeOurs(entry: string, outfile: string): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    external: ["zlib-sync", "bufferutil", "utf-8-validate", "erlpack", "@discordjs/opus"],
    banner: {
      js: 'import { createRequire as dkpRequire } from "node:module"; const require = dkpRequire(import.meta.url);',
    },
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "none",
    logLevel: "warning",
  });
}
