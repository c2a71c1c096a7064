import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Where the bare discord.js client is bundled to. */
export const bareClient = `${root}/dist/bench-bare-client.mjs`;

/** Bundles the programs as the images have them, and the bare client with the same settings. */
export async function bundlePrograms(): Promise<void> {
  await promisify(execFile)(process.execPath, ["config/build.ts", "operator", "bot", "discord"], {
    cwd: root,
  });
  await build({
    entryPoints: [`${root}/test/bench/peers/bare-client.ts`],
    outfile: bareClient,
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
