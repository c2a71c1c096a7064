import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { command } from "./command.ts";
import type { Progress } from "./progress.ts";

/** A program the cluster calls, and the Debian package that brings it. */
const needs: [program: string, aptPackage: string][] = [
  ["/usr/bin/containerd", "containerd"],
  ["/usr/sbin/runc", "runc"],
  ["/usr/lib/cni/bridge", "containernetworking-plugins"],
  ["/usr/bin/buildah", "buildah"],
  ["/usr/sbin/debootstrap", "debootstrap"],
  ["/usr/sbin/iptables", "iptables"],
  ["/usr/sbin/ip", "iproute2"],
  ["/usr/sbin/conntrack", "conntrack"],
  ["/usr/bin/mount", "mount"],
];

/** Why this machine cannot carry the one-node cluster, in one line; undefined when it can. */
export function unfit(platform: NodeJS.Platform, uid: number): string | undefined {
  if (platform !== "linux") {
    return "The cluster needs Docker (for kind) or a Linux machine: start Docker and run this again.";
  }
  if (uid !== 0) {
    return "Without Docker the cluster runs on this machine itself and needs root: start Docker, or run this again as root.";
  }
  return undefined;
}

/** Installs the Debian packages that are missing. */
export async function installPackages(progress: Progress): Promise<void> {
  const missing = needs.filter(([program]) => !existsSync(program)).map(([, name]) => name);
  if (missing.length === 0) {
    return;
  }
  if (!existsSync("/usr/bin/apt-get")) {
    throw new Error(`Please install ${missing.join(", ")}: this machine has no apt-get to do it with.`);
  }
  await progress.step(`Installing ${missing.join(", ")} from Debian`, async (detail) => {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    const onLine = (line: string): void => detail(line.trim().slice(0, 60));
    await command("apt-get", ["update", "-q"], { env, onLine });
    const flags = ["install", "-q", "-y", "--no-install-recommends"];
    await command("apt-get", [...flags, ...missing], { env, onLine });
  });
}

/** A line about another Kubernetes node on this machine, whose rules ours would be mixed up with; undefined without one. */
export async function otherNode(): Promise<string | undefined> {
  const rules = await command("iptables-save", []).catch(() => ({ stdout: "" }));
  return /^:KUBE-/m.test(rules.stdout)
    ? "This machine already carries a Kubernetes node (there are KUBE chains in iptables): its network rules would be mixed up with ours."
    : undefined;
}

/** The mount points at and below `folder`, deepest first. */
export async function mountsBelow(folder: string): Promise<string[]> {
  const mounts = await readFile("/proc/self/mounts", "utf8");
  return mounts
    .split("\n")
    .map((line) => (line.split(" ")[1] ?? "").replaceAll(/\\040/g, " "))
    .filter((path) => path === folder || path.startsWith(`${folder}/`))
    .sort()
    .reverse();
}
