import { existsSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { BuildOptions, Plugin } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The programs by the name of their file in dist; each has a folder of parts beside it. */
const programs: Record<string, string> = {
  operator: "operator/main.ts",
  bot: "bot/main.ts",
  "kubectl-dkp": "operator/kubectl/cli.ts",
  discord: "test/discord/main.ts",
};

/** What packages look for at run time and do without: compiled speed-ups and encoders that nothing here needs. */
const optional = [
  "zlib-sync",
  "bufferutil",
  "utf-8-validate",
  "erlpack",
  "pg-native",
  "pino-pretty",
  "@discordjs/opus",
];

/** Leaves out zod's sentences in fifty languages: ours are written in English, by ourselves. */
const oneLanguage: Plugin = {
  name: "one-language",
  setup(builder) {
    builder.onLoad({ filter: /zod\/v4\/locales\/index\.js$/ }, ({ path }) => ({
      contents: 'export { default as en } from "./en.js";',
      resolveDir: dirname(path),
    }));
  },
};

function options(name: string, entry: string): BuildOptions {
  return {
    entryPoints: { [name]: `${root}/${entry}` },
    outdir: `${root}/dist`,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    // What is imported only when it is needed stays out of memory until then: 13 MB for a bot, 20 MB for the operator.
    splitting: true,
    chunkNames: `${name}-parts/[name]-[hash]`,
    platform: "node",
    format: "esm",
    target: "node24",
    external: optional,
    // discord.js and its parts each bring an older undici of their own: one is enough, and saves megabytes in every bot.
    // The price: this one refuses the FormData with which discord.js would send files, and the bot sends none.
    alias: { undici: `${root}/node_modules/undici` },
    plugins: [oneLanguage],
    // Packages written as CommonJS ask for builtins by require, which an ES module has to be given.
    banner: {
      js: 'import { createRequire as dkpRequire } from "node:module"; const require = dkpRequire(import.meta.url);',
    },
    // Shorter source is memory saved in every bot; names stay: discord.js picks caches by class name.
    minifyWhitespace: true,
    minifySyntax: true,
    keepNames: false,
    legalComments: "none",
    logLevel: "warning",
  };
}

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => programs[name] === undefined);
if (unknown.length > 0) {
  process.stderr.write(
    `There is no program ${unknown.join(", ")}: choose from ${Object.keys(programs).join(", ")}\n`,
  );
  process.exit(2);
}
for (const [name, entry] of Object.entries(programs)) {
  if (asked.length === 0 ? existsSync(`${root}/${entry}`) : asked.includes(name)) {
    const started = performance.now();
    rmSync(`${root}/dist/${name}-parts`, { recursive: true, force: true });
    await build(options(name, entry));
    const size = (statSync(`${root}/dist/${name}.mjs`).size / 1e6).toFixed(1);
    process.stdout.write(
      `dist/${name}.mjs ${size} MB besides its parts (${Math.round(performance.now() - started)} ms)\n`,
    );
  }
}
