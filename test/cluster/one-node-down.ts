import { existsSync } from "node:fs";
import { readFile, readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { cacheFolder, lock } from "./cache.ts";
import { command } from "./command.ts";
import { stopDaemon } from "./daemon.ts";
import { mountsBelow } from "./host.ts";
import { network, networkDown } from "./network.ts";
import { clusterFolder, ctr, kubectl, status } from "./one-node.ts";
import type { Before } from "./one-node.ts";
import type { Progress } from "./progress.ts";

/** Ends the one-node cluster and takes away every trace of it, also of one that crashed half way. */
export async function nodeDown(progress: Progress, env: NodeJS.ProcessEnv): Promise<void> {
  if (!existsSync(clusterFolder)) {
    return;
  }
  const release = await lock(`${clusterFolder}.lock`, () => undefined);
  try {
    await end(progress, env);
  } finally {
    await release();
  }
}

async function end(progress: Progress, env: NodeJS.ProcessEnv): Promise<void> {
  const running = await status();
  await progress.step("Ending pods", async (detail) => {
    // Nobody may make new ones or find them a place.
    for (const name of ["kube-controller-manager", "kube-scheduler", "local-path-provisioner"]) {
      await stopDaemon(clusterFolder, name);
    }
    if (running.get("kube-apiserver") === true && running.get("kubelet") === true) {
      const flags = ["-A", "--all", "--grace-period=2", "--timeout=60s", "--ignore-not-found"];
      await kubectl(["delete", "pods", ...flags], { onLine: detail, timeoutMs: 70_000 }).catch(
        () => undefined,
      );
    }
  });
  await progress.step("Ending servers", async () => {
    await stopDaemon(clusterFolder, "kubelet");
    if (running.get("containerd") === true) {
      await endTasks();
    }
    // Their data goes too: they need no time to say goodbye.
    await Promise.all([...(await status()).keys()].map((name) => stopDaemon(clusterFolder, name, 1_000)));
    await endShims();
  });
  await progress.step("Taking away mounts, network and files", async () => {
    const text = await readFile(join(clusterFolder, "before.json"), "utf8").catch(() => undefined);
    const before = text === undefined ? undefined : (JSON.parse(text) as Before);
    await networkDown(before?.kernel ?? {});
    await unmountBelow(clusterFolder);
    await unmountBelow(join(cacheFolder(env), "buildah"));
    await removeCgroups("k8s.io");
    const left = await mountsBelow(clusterFolder);
    if (left.length > 0) {
      throw new Error(`Still mounted, so nothing is deleted: ${left.join(", ")}`);
    }
    for (const folder of [...(before?.absent ?? []), clusterFolder]) {
      await rm(folder, { recursive: true, force: true });
    }
  });
  const left = await traces();
  if (left.length > 0) {
    throw new Error(`The cluster is down, but something of it is left:\n  ${left.join("\n  ")}`);
  }
}

/** What there is of a one-node cluster on this machine, running or left over, a line each. */
async function traces(): Promise<string[]> {
  const rules = await Promise.all(
    ["iptables-save", "ip6tables-save"].map((program) => command(program, []).catch(() => ({ stdout: "" }))),
  );
  const chains = rules.flatMap(({ stdout }) => [...stdout.matchAll(/^:((?:KUBE|CNI|DKP)-\S+)/gm)]);
  const link = await command("ip", ["-o", "link", "show", network.bridge]).catch(() => ({ stdout: "" }));
  return [
    ...chains.map(([, name]) => `chain ${name}`),
    ...(link.stdout === "" ? [] : [`network interface ${network.bridge}`]),
    ...(await mountsBelow(clusterFolder)).map((path) => `mount ${path}`),
    ...(await processesOf(clusterFolder)).map(({ pid, words }) => `process ${pid} (${words[0]})`),
    ...(existsSync(clusterFolder) ? [`folder ${clusterFolder}`] : []),
  ];
}

/** The cluster's servers; a kubectl that somebody left open is no business of ours. */
const servers = /\/(etcd|kube-[a-z-]+|kubelet|coredns|local-path-provisioner|containerd(-shim\S*)?)$/;

/** Servers that were started with a path below `folder` among their arguments. */
async function processesOf(folder: string): Promise<{ pid: number; words: string[] }[]> {
  const ids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    ids.map(async (id) => {
      const text = await readFile(`/proc/${id}/cmdline`, "utf8").catch(() => "");
      return { pid: Number(id), words: text.split("\0") };
    }),
  );
  const path = new RegExp(`(^|[=/])${folder}/`);
  return found.filter(({ words }) => servers.test(words[0] ?? "") && words.some((word) => path.test(word)));
}

async function unmountBelow(folder: string): Promise<void> {
  for (const mount of await mountsBelow(folder)) {
    await command("umount", ["-l", mount]).catch(() => undefined);
  }
}

/** Kills containers that the kubelet left behind. */
async function endTasks(): Promise<void> {
  const listed = await ctr(["-n", "k8s.io", "tasks", "ls", "-q"]).catch(() => ({ stdout: "" }));
  for (const id of listed.stdout.split("\n").filter((line) => line !== "")) {
    await ctr(["-n", "k8s.io", "tasks", "rm", "-f", id]).catch(() => undefined);
  }
}

/** Kills containerd's helpers, told apart from others' by the address of our containerd, and what still runs under them. */
async function endShims(): Promise<void> {
  const ours = await processesOf(clusterFolder);
  for (const { pid } of ours.filter(({ words }) => words[0]?.includes("containerd-shim"))) {
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
    for (const id of [pid, ...children.split(" ").filter((text) => text !== "")]) {
      kill(Number(id));
    }
  }
  await delay(200);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It is gone.
  }
}

/** Removes the empty cgroups that containers leave. */
async function removeCgroups(name: string): Promise<void> {
  const roots = [
    "/sys/fs/cgroup",
    ...(await readdir("/sys/fs/cgroup")).map((entry) => `/sys/fs/cgroup/${entry}`),
  ];
  for (const root of roots.filter((path) => existsSync(join(path, name)))) {
    await removeTree(join(root, name));
  }
}

async function removeTree(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries.filter((found) => found.isDirectory())) {
    await removeTree(join(folder, entry.name));
  }
  await rmdir(folder).catch(() => undefined);
}
