import { existsSync, globSync } from "node:fs";
import { copyFile, cp, mkdir, mkdtemp, readFile, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { binary } from "./binaries.ts";
import type { BinaryName } from "./binaries.ts";
import { alive, cacheFolder, fingerprint, lock, made } from "./cache.ts";
import { command } from "./command.ts";
import { npmSecrets } from "./npm-secrets.ts";
import type { Progress } from "./progress.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const recipesFolder = fileURLToPath(new URL("images", import.meta.url));

/** How an image is made: its Dockerfile, the images its FROM lines name, and what its build context holds. */
type Recipe = {
  tag: string;
  dockerfile: string;
  from: string[];
  /** Fills a build context; undefined: the checkout, of which `sources` go into the image. */
  context?: (folder: string, progress: Progress, env: NodeJS.ProcessEnv) => Promise<void>;
  sources?: string[];
  /** Further text that a changed build would change. */
  version?: string;
};

// The names that FROM lines use: without a registry, so that Docker finds the official images and buildah ours.
const nodeTag = "localhost/node:24.21.0-bookworm-slim";
const debianTag = "localhost/debian:bookworm-slim";
const program = (name: string, sources: string[], dockerfile = `Dockerfile.${name}`): Recipe => ({
  tag: `localhost/dkp-${name}:dev`,
  dockerfile: join(root, dockerfile),
  from: ["node"],
  sources: ["package.json", "package-lock.json", "tsconfig.json", "config/build.ts", ...sources],
});

const recipes = {
  debian: { tag: debianTag, dockerfile: "debian", from: [], context: debianContext, version: "1" },
  node: { tag: nodeTag, dockerfile: "node", from: ["debian"], context: nodeContext, version: "24.21.0" },
  pause: { tag: "localhost/pause:1", dockerfile: "pause", from: ["debian"], context: noContext },
  postgresql: {
    tag: "localhost/dkp-postgresql:15",
    dockerfile: "postgresql",
    from: ["debian"],
    context: noContext,
  },
  "cloudnative-pg": {
    tag: "localhost/cloudnative-pg:1.30.0",
    dockerfile: "cloudnative-pg",
    from: ["debian"],
    context: programContext("cloudnative-pg"),
    version: "1.30.0",
  },
  "barman-cloud": {
    tag: "localhost/barman-cloud:0.7.0",
    dockerfile: "barman-cloud",
    from: ["debian"],
    context: programContext("barman-cloud"),
    version: "0.7.0",
  },
  versitygw: {
    tag: "localhost/versitygw:1.8.0",
    dockerfile: "versitygw",
    from: ["debian"],
    context: programContext("versitygw"),
    version: "1.8.0",
  },
  operator: program("operator", ["operator", "runtime", "crds"]),
  bot: program("bot", ["bot", "runtime", "crds"]),
  "broken-bot": {
    tag: "localhost/dkp-broken-bot:dev",
    dockerfile: "broken-bot",
    from: ["bot"],
    context: brokenBotContext,
  },
  discord: program("discord", ["test/discord"], "test/cluster/Dockerfile.discord"),
} satisfies Record<string, Recipe>;

export type ImageName = keyof typeof recipes;

/** An image that pods can name once the archive is loaded into the node. */
export type BuiltImage = { archive: string; reference: string };

/**
 * An image as an OCI archive, built with buildah when its sources changed since the last time. What is made of our own sources
 * has a tag that changes with them, so that a cluster sees a new image as new. Needs root.
 */
export async function image(
  name: ImageName,
  progress: Progress,
  env: NodeJS.ProcessEnv = process.env,
): Promise<BuiltImage> {
  const recipe: Recipe = recipes[name];
  const folder = join(cacheFolder(env), "images");
  const version = await key(recipe);
  const target = join(folder, `${name}-${version}.tar`);
  const reference = recipe.tag.replace(/:dev$/, `:${version}`);
  const existed = existsSync(target);
  const archive = await made(target, `Building image ${recipe.tag}`, progress, async (unfinished, detail) => {
    await ensureParents(recipe, progress, env);
    await build(recipe, detail, progress, env, { archive: unfinished, reference });
  });
  if (!existed) {
    await forgetOlder(folder, name, archive);
  }
  return { archive, reference };
}

async function key(recipe: Recipe): Promise<string> {
  const parents = await Promise.all(recipe.from.map((name) => key(recipes[name as ImageName])));
  const sources = (recipe.sources ?? []).flatMap((path) =>
    globSync(/\.\w+$/.test(path) ? path : `${path}/**/*.{ts,json,yaml}`, { cwd: root }).sort(),
  );
  const contents = await Promise.all(sources.map((path) => readFile(join(root, path))));
  return fingerprint(
    await readFile(dockerfile(recipe)),
    recipe.version ?? "",
    ...parents,
    ...sources,
    ...contents,
  );
}

function dockerfile(recipe: Recipe): string {
  return recipe.dockerfile.startsWith("/")
    ? recipe.dockerfile
    : join(recipesFolder, `${recipe.dockerfile}.Dockerfile`);
}

/** Makes sure that buildah knows the images that FROM lines name. */
async function ensureParents(recipe: Recipe, progress: Progress, env: NodeJS.ProcessEnv): Promise<void> {
  for (const name of recipe.from as ImageName[]) {
    const parent: Recipe = recipes[name];
    const label = `dkp.key=${await key(parent)}`;
    const known = await buildah(env, ["images", "-q", "--filter", `label=${label}`, parent.tag]).catch(
      () => undefined,
    );
    if (known === undefined || known.stdout.trim() === "") {
      await progress.step(`Building image ${parent.tag}`, async (detail) => {
        await ensureParents(parent, progress, env);
        await build(parent, detail, progress, env);
      });
    }
  }
}

async function build(
  recipe: Recipe,
  detail: (text: string) => void,
  progress: Progress,
  env: NodeJS.ProcessEnv,
  written?: BuiltImage,
): Promise<void> {
  await sweep(cacheFolder(env));
  const scratch = await mkdtemp(join(cacheFolder(env), `context-${process.pid}-`));
  const release = await lock(join(cacheFolder(env), "buildah.lock"), detail);
  try {
    const context = recipe.context === undefined ? root : join(scratch, "context");
    await mkdir(join(scratch, "context"), { recursive: true });
    await recipe.context?.(context, progress, env);
    const secrets = recipe.context === undefined ? await npmSecrets(scratch, env) : [];
    const flags = ["--isolation", "chroot", "--layers", "--pull-never", "--format", "oci"];
    const handed = secrets.flatMap(({ id, path }) => ["--secret", `id=${id},src=${path}`]);
    const named = ["--label", `dkp.key=${await key(recipe)}`, "-t", recipe.tag];
    const args = ["bud", ...flags, ...handed, ...named, "-f", dockerfile(recipe), context];
    await buildah(env, args, (line) => detail(line.trim().slice(0, 70)));
    if (written !== undefined) {
      detail("writing the archive");
      const destination = `oci-archive:${written.archive}:${written.reference}`;
      await buildah(env, ["push", "-D", "-q", recipe.tag, destination]);
    }
  } finally {
    await release();
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Removes what builds left that were killed: their secrets lie in it. */
async function sweep(folder: string): Promise<void> {
  const left = (await readdir(folder)).filter((name) => {
    const pid = /^context-(\d+)-/.exec(name)?.[1];
    return pid !== undefined && !alive(Number(pid));
  });
  await Promise.all(left.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}

/** Runs buildah on a storage of our own below the cache: the machine's own images are none of our business. */
async function buildah(
  env: NodeJS.ProcessEnv,
  args: string[],
  onLine?: (line: string) => void,
): Promise<{ stdout: string }> {
  const folder = cacheFolder(env);
  const policy = join(folder, "policy.json");
  await mkdir(folder, { recursive: true });
  await writeFile(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
  const [verb = "", ...rest] = args;
  const storage = ["--root", join(folder, "buildah"), "--runroot", join(folder, "buildah-run")];
  const trust = verb === "images" ? [] : ["--signature-policy", policy];
  return command("buildah", [...storage, "--storage-driver", "overlay", verb, ...trust, ...rest], {
    env,
    ...(onLine === undefined ? {} : { onLine }),
  });
}

/** Older archives of an image only fill the disk. */
async function forgetOlder(folder: string, name: string, archive: string): Promise<void> {
  const pattern = new RegExp(`^${name}-[0-9a-f]{12}\\.tar$`);
  const others = (await readdir(folder)).filter(
    (file) => pattern.test(file) && join(folder, file) !== archive,
  );
  await Promise.all(others.map((file) => rm(join(folder, file), { force: true })));
}

async function noContext(): Promise<void> {}

async function debianContext(folder: string, progress: Progress, env: NodeJS.ProcessEnv): Promise<void> {
  const tar = join(cacheFolder(env), "debian", "bookworm-1.tar");
  await made(tar, "Making a Debian 12 base with debootstrap", progress, async (unfinished, detail) => {
    const tree = await mkdtemp(join(dirname(tar), "tree-"));
    const flags = ["--variant=minbase", "--include=ca-certificates"];
    try {
      await command("debootstrap", [...flags, "bookworm", tree], {
        onLine: (line) => detail(line.slice(0, 60)),
      });
      detail("packing");
      const unwanted = [
        "var/cache/apt/archives/*.deb",
        "var/lib/apt/lists/*",
        "usr/share/doc/*",
        "usr/share/man/*",
        "usr/share/locale/*",
        "dev/*",
        "var/log/*",
      ];
      const excluded = unwanted.map((path) => `--exclude=./${path}`);
      await command("tar", ["-C", tree, ...excluded, "-cf", unfinished, "."]);
    } finally {
      await rm(tree, { recursive: true, force: true });
    }
  });
  await copyFile(tar, join(folder, "debian.tar"));
}

async function nodeContext(folder: string, _progress: Progress, env: NodeJS.ProcessEnv): Promise<void> {
  await copyFile(join(root, "node_modules/node/bin/node"), join(folder, "node"));
  await cp(await npmFolder(env), join(folder, "npm"), { recursive: true, dereference: true });
}

/** Where this machine's npm lies, whichever Node comes first in PATH. */
async function npmFolder(env: NodeJS.ProcessEnv): Promise<string> {
  const places = (env["PATH"] ?? "").split(":").map((folder) => join(folder, "npm"));
  for (const place of [env["npm_execpath"] ?? "", ...places]) {
    const program = await realpath(place).catch(() => "");
    if (program.endsWith("/bin/npm-cli.js")) {
      return dirname(dirname(program));
    }
  }
  throw new Error("npm is needed in PATH");
}

async function brokenBotContext(folder: string): Promise<void> {
  await copyFile(join(recipesFolder, "broken-bot.mjs"), join(folder, "broken-bot.mjs"));
}

/** Puts a program built from its Go module into the build context, under its own name. */
function programContext(name: BinaryName): NonNullable<Recipe["context"]> {
  return async (folder, progress, env) => {
    await copyFile(await binary(name, progress, env), join(folder, name));
  };
}
