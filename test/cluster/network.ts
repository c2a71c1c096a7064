import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { command } from "./command.ts";

/** The bridge that pods hang on, the node's own address on it, and the ranges of pods and Services. */
export const network = {
  bridge: "cni0",
  address: "10.88.0.1",
  pods: "10.88.0.0/16",
  services: "10.96.0.0/16",
  apiserverPort: 6443,
};

const chain = "DKP-CONFINE";
/**
 * Kernel settings the cluster needs: packets are forwarded between pods, and answers of pods that reach each other through a
 * Service are translated back also across the bridge.
 */
const kernelSettings = ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/bridge/bridge-nf-call-iptables"];

/** The values of those settings now, by path. */
export async function kernelNow(): Promise<Record<string, string>> {
  // Without the module there is no such setting yet.
  await command("modprobe", ["br_netfilter"]).catch(() => undefined);
  const present = kernelSettings.filter((path) => existsSync(path));
  const values = await Promise.all(present.map((path) => readFile(path, "utf8")));
  return Object.fromEntries(present.map((path, index) => [path, (values[index] ?? "").trim()]));
}

/**
 * Makes the bridge, and the rules that keep the cluster's traffic on this machine: nothing for pods or Services leaves by
 * another interface than the bridge and loopback, and nothing from pods leaves at all.
 */
export async function networkUp(): Promise<void> {
  const { bridge, address, pods, services } = network;
  await command("ip", ["link", "add", bridge, "type", "bridge"]);
  await command("ip", ["addr", "add", `${address}/16`, "dev", bridge]);
  await command("ip", ["link", "set", bridge, "up"]);
  // Service addresses are translated only after a route was chosen: this one keeps such packets on the bridge until then.
  await command("ip", ["route", "add", services, "dev", bridge, "src", address]);
  for (const path of kernelSettings.filter((found) => existsSync(found))) {
    await writeFile(path, "1");
  }
  await iptables("-N", chain);
  for (const stays of [bridge, "lo"]) {
    await iptables("-A", chain, "-o", stays, "-j", "RETURN");
  }
  for (const range of [pods, services]) {
    await iptables("-A", chain, "-d", range, "-j", "REJECT");
  }
  // From the node itself an answer to a pod may have this source; it leaves by the bridge and has returned above.
  await iptables("-A", chain, "-s", pods, "-j", "REJECT");
  for (const hook of ["OUTPUT", "FORWARD"]) {
    await iptables("-I", hook, "1", "-j", chain);
  }
  // Docker and firewalls may drop what is forwarded: ours goes from the bridge to the bridge.
  await iptables("-I", "FORWARD", "2", "-i", bridge, "-o", bridge, "-j", "ACCEPT");
}

/** Undoes `networkUp` and what kube-proxy, the kubelet and CNI plugins added; safe to call at any time. */
export async function networkDown(kernelBefore: Record<string, string>): Promise<void> {
  const { bridge } = network;
  const accept = ["FORWARD", "-i", bridge, "-o", bridge, "-j", "ACCEPT"];
  await iptables("-D", ...accept).catch(() => undefined);
  for (const program of ["iptables", "ip6tables"]) {
    for (const table of ["nat", "filter", "mangle"]) {
      await removeChains(program, table);
    }
  }
  await command("ip", ["link", "del", bridge]).catch(() => undefined);
  for (const [path, value] of Object.entries(kernelBefore)) {
    await writeFile(path, value);
  }
}

async function removeChains(program: string, table: string): Promise<void> {
  const run = (...args: string[]): Promise<unknown> =>
    command(program, ["-w", "-t", table, ...args]).catch(() => undefined);
  const listed = await command(program, ["-w", "-t", table, "-S"]).catch(() => ({ stdout: "" }));
  const lines = listed.stdout.split("\n");
  const chains = lines
    .filter((line) => /^-N (KUBE|CNI|DKP)-/.test(line))
    .map((line) => line.slice("-N ".length));
  const jumps = lines.filter((line) => /^-A (?!KUBE-|CNI-|DKP-)\S+ .*-j (KUBE|CNI|DKP)-/.test(line));
  for (const jump of jumps) {
    await run("-D", ...words(jump.slice("-A ".length)));
  }
  for (const name of chains) {
    await run("-F", name);
  }
  for (const name of chains) {
    await run("-X", name);
  }
}

/** Splits a rule as iptables prints it; comments are quoted. */
function words(rule: string): string[] {
  return [...rule.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
}

function iptables(...args: string[]): Promise<unknown> {
  return command("iptables", ["-w", ...args]);
}
