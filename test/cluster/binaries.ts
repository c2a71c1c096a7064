import { existsSync } from "node:fs";
import { readFile, symlink } from "node:fs/promises";
import { cpus } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder, fingerprint, made } from "./cache.ts";
import { command } from "./command.ts";
import type { Progress } from "./progress.ts";

/** How a program is built: a wrapper module that pins every version (go.mod, go.sum), and the package to build in it. */
type Recipe = {
  module: string;
  package: string;
  version: string;
  /** Linker flags besides -s -w. */
  stamp?: string[];
  /** Further sources of the wrapper module that the program is built from. */
  sources?: string[];
  /** The binary is another one, called by this name. */
  partOf?: string;
};

const kubernetesVersion = "1.36.3";
const kubernetesStamp = [
  `-X k8s.io/component-base/version.gitVersion=v${kubernetesVersion}`,
  "-X k8s.io/component-base/version.gitMajor=1",
  "-X k8s.io/component-base/version.gitMinor=36",
];
const kube = { module: "kubernetes", version: kubernetesVersion, stamp: kubernetesStamp };
const node = { ...kube, package: "./node", sources: ["node/main.go"] };

const recipes = {
  etcd: { module: "etcd", package: "go.etcd.io/etcd/server/v3", version: "3.7.3" },
  "kube-apiserver": { ...kube, package: "k8s.io/kubernetes/cmd/kube-apiserver" },
  kube: node,
  "kube-controller-manager": { ...node, partOf: "kube" },
  "kube-scheduler": { ...node, partOf: "kube" },
  "kube-proxy": { ...node, partOf: "kube" },
  kubelet: { ...node, partOf: "kube" },
  kubectl: { ...node, partOf: "kube" },
  coredns: { module: "coredns", package: ".", version: "1.15.0", sources: ["main.go"] },
  "local-path-provisioner": {
    module: "local-path-provisioner",
    package: "github.com/rancher/local-path-provisioner",
    version: "0.0.30",
  },
  kind: { module: "kind", package: "sigs.k8s.io/kind", version: "0.33.0" },
  "cloudnative-pg": {
    module: "cloudnative-pg",
    package: "github.com/cloudnative-pg/cloudnative-pg/cmd/manager",
    version: "1.30.0",
  },
  "barman-cloud": {
    module: "barman-cloud",
    package: "github.com/cloudnative-pg/plugin-barman-cloud/cmd/manager",
    version: "0.7.0",
  },
  versitygw: {
    module: "versitygw",
    package: "github.com/versity/versitygw/cmd/versitygw",
    version: "1.8.0",
  },
  "controller-runtime-peer": {
    module: "../../bench/peers/controller-runtime",
    package: ".",
    version: "0.25.2",
    sources: ["main.go", "guild.go", "reconcile.go", "templates.go"],
  },
} satisfies Record<string, Recipe>;

export type BinaryName = keyof typeof recipes;

const folder = fileURLToPath(new URL("go", import.meta.url));

/**
 * The path of a program of the test cluster: out of $KUBEBUILDER_ASSETS if it lies there, otherwise built once from its Go
 * module and kept in the cache. Safe to call from many processes at once. The first build of kube-apiserver takes about three
 * minutes on two cores.
 */
export async function binary(
  name: BinaryName,
  progress: Progress,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  const assets = env["KUBEBUILDER_ASSETS"];
  if (assets !== undefined && existsSync(join(assets, name))) {
    return join(assets, name);
  }
  const recipe: Recipe = recipes[name];
  const whole = recipe.partOf as BinaryName | undefined;
  const target = join(cacheFolder(env), "bin", `${name}-${recipe.version}-${await key(recipe)}`, name);
  if (whole !== undefined) {
    const built = await binary(whole, progress, env);
    return made(target, `${name} out of ${whole}`, progress, (unfinished) => symlink(built, unfinished));
  }
  const title = `Building ${name} ${recipe.version} from its Go module (once)`;
  return made(target, title, progress, (unfinished, detail) => build(recipe, unfinished, detail, env));
}

/** The folder of a Go module that the program's wrapper module requires, in Go's module cache. */
export async function moduleFolder(
  name: BinaryName,
  module: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  const options = { cwd: join(folder, recipes[name].module), env: { ...env, GOWORK: "off" } };
  // Unlike go list, this also fetches what the module cache does not hold yet.
  const found = await command("go", ["mod", "download", "-json", module], options).catch(needsGo);
  return (JSON.parse(found.stdout) as { Dir: string }).Dir;
}

async function key(recipe: Recipe): Promise<string> {
  const files = ["go.mod", "go.sum", ...(recipe.sources ?? [])];
  const contents = await Promise.all(files.map((file) => readFile(join(folder, recipe.module, file))));
  return fingerprint(recipe.package, ...(recipe.stamp ?? []), ...contents);
}

async function build(
  recipe: Recipe,
  output: string,
  detail: (text: string) => void,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const options = { cwd: join(folder, recipe.module), env: { ...env, CGO_ENABLED: "0", GOWORK: "off" } };
  detail("downloading modules");
  const listed = await command("go", ["list", "-deps", recipe.package], options).catch(needsGo);
  const total = listed.stdout.split("\n").length;
  const flags = ["-s", "-w", ...(recipe.stamp ?? [])].join(" ");
  let compiled = 0;
  // -v names each package as its compilation begins; those in Go's build cache are not named.
  const onLine = (line: string): void => {
    compiled += 1;
    detail(`${compiled} of at most ${total} packages on ${cpus().length} cores, now ${basename(line)}`);
  };
  const args = ["build", "-v", "-trimpath", "-ldflags", flags, "-o", output, recipe.package];
  await command("go", args, { ...options, onLine });
}

function needsGo(cause: unknown): never {
  // A Go older than 1.21 does not know how to fetch the version that a go.mod asks for, nor how to read its number.
  const missing = cause instanceof Error && /is not installed|invalid go version/.test(cause.message);
  throw missing
    ? new Error(
        "Go 1.21 or later is needed to build what the tests need of Kubernetes: install it from go.dev, or set KUBEBUILDER_ASSETS to a folder with etcd and kube-apiserver",
        { cause },
      )
    : cause;
}
