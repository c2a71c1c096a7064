import { binary } from "./binaries.ts";
import { nodeDown } from "./one-node-down.ts";
import { kubeconfig, nodeUp, status } from "./one-node.ts";
import { progressTo } from "./progress.ts";

const usage = `node test/cluster/cli.ts build | up | status | down

  build   builds what the tests need of Kubernetes (etcd, kube-apiserver, kube-controller-manager); once
  up      starts a one-node cluster on this machine, without Docker; needs root
  status  says which of its servers run
  down    removes it and everything in it
`;

const write = (text: string): void => void process.stdout.write(text);
const progress = progressTo({ write, terminal: process.stdout.isTTY });

async function main(verb: string | undefined): Promise<number> {
  switch (verb) {
    case "build":
      for (const name of ["etcd", "kube-apiserver", "kube-controller-manager"] as const) {
        await binary(name, progress);
      }
      return 0;
    case "up":
      await nodeUp(progress, process.env);
      write(`export KUBECONFIG=${kubeconfig()}\n`);
      return 0;
    case "down":
      await nodeDown(progress, process.env);
      return 0;
    case "status": {
      const servers = [...(await status())];
      servers.forEach(([name, running]) => write(`${running ? "runs " : "ended"} ${name}\n`));
      return servers.length > 0 && servers.every(([, running]) => running) ? 0 : 1;
    }
    case undefined:
    default:
      process.stderr.write(usage);
      return 2;
  }
}

try {
  process.exitCode = await main(process.argv[2]);
} catch (cause) {
  process.stderr.write(`${cause instanceof Error ? cause.message : String(cause)}\n`);
  process.exitCode = 1;
}
