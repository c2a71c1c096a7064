import { parseArgs } from "node:util";
import { progressTo } from "../cluster/progress.ts";
import { openCluster } from "./cluster.ts";
import { applySample, install } from "./install.ts";
import { sample } from "./cast.ts";
import { isMistyped } from "./terminal.ts";
import { tour, watchUntilReady } from "./tour.ts";

const usage = `npm run sandbox [-- up | down] [options]

  up      a real cluster with the operator and a guild, then a guided tour (the default)
  down    removes the cluster and everything of it; what was built stays cached

  --keep            the cluster stays up after the tour
  --on kind|node    where: kind (needs Docker) or a one-node cluster on this machine (needs Linux and root);
                    kind when Docker answers, otherwise the node
  --help
`;

const write = (text: string): void => void process.stdout.write(text);

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      keep: { type: "boolean", default: false },
      on: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const [verb = "up"] = positionals;
  const on = values.on;
  if (values.help) {
    write(usage);
    return 0;
  }
  if (!["up", "down"].includes(verb) || (on !== undefined && on !== "kind" && on !== "node")) {
    process.stderr.write(usage);
    return 2;
  }
  const progress = progressTo({ write, terminal: process.stdout.isTTY });
  const cluster = await openCluster(progress, on === undefined ? {} : { on });
  if (verb === "down") {
    await cluster.down();
    write("The sandbox is gone.\n");
    return 0;
  }
  const started = performance.now();
  const { kubectl, discord, disconnect } = await install(cluster, progress);
  const stage = { kubectl, discord, write };
  try {
    write("\n$ kubectl apply -k config/samples\n");
    await applySample(kubectl, { backup: true });
    await watchUntilReady(stage);
    await tour(stage);
  } finally {
    await disconnect();
  }
  write(
    `\nThe tour took ${((performance.now() - started) / 60_000).toFixed(1)} minutes, everything included.\n`,
  );
  if (values.keep) {
    write(
      `\nThe cluster stays up. Look around:\n` +
        `  export KUBECONFIG=${cluster.kubeconfigPath}\n` +
        `  ${cluster.kubectlPath} -n ${sample.namespace} get guilds,pods\n` +
        `and end it with: npm run sandbox -- down\n`,
    );
    return 0;
  }
  await cluster.down();
  write("The sandbox is gone; --keep would have left it up. The next start takes under two minutes.\n");
  return 0;
}

try {
  process.exitCode = await main();
} catch (cause) {
  if (isMistyped(cause)) {
    process.stderr.write(`${cause.message}\n\n${usage}`);
    process.exitCode = 2;
  } else {
    process.stderr.write(`\n${described(cause)}\n`);
    process.stderr.write("npm run sandbox -- down removes what is left of it.\n");
    process.exitCode = 1;
  }
}

/** The sentence of an error and of what caused it. */
function described(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause === undefined ? cause.message : `${cause.message}\n  because: ${described(cause.cause)}`;
}
