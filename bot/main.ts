import { EnvironmentError, parseEnvironment } from "../runtime/environment.ts";
import { logger } from "../runtime/log.ts";
import { metricsRegistry } from "../runtime/metrics.ts";
import { onShutdown } from "../runtime/shutdown.ts";
import { startTelemetry } from "../runtime/telemetry.ts";
import { botEnvironment, botSettings } from "./config.ts";

const version = "0.1.0";

/** Kubernetes kills a pod 30 s after it asked it to end. */
const shutdownDeadlineMs = 25_000;

async function run(): Promise<void> {
  const settings = botSettings(parseEnvironment(botEnvironment, process.env));
  const registry = metricsRegistry();
  const { podName, podNamespace } = settings;
  const telemetry = await startTelemetry({
    serviceName: "dkp-bot",
    version,
    endpoint: settings.otlpEndpoint,
    resource: {
      "dkp.guild": settings.discord.guildId,
      "deployment.environment.name": settings.environment,
      ...(podName !== undefined && { "k8s.pod.name": podName }),
      ...(podNamespace !== undefined && { "k8s.namespace.name": podNamespace }),
    },
    registry,
  });
  const log = logger({ ...settings.log, name: "dkp-bot", sink: (line) => telemetry.emitLine(line) });
  const shutdown = onShutdown({ host: process, log, deadlineMs: shutdownDeadlineMs });
  shutdown.step("telemetry", () => telemetry.shutdown());
  // discord.js is loaded here and not for the other commands, which have no use for its thirty megabytes.
  const { runBot } = await import("./run.ts");
  const { port } = await runBot({ settings, version, log, registry, telemetry, shutdown });
  log.info({ port }, "the bot serves commands");
}

async function main(args: readonly string[]): Promise<number | undefined> {
  const [command = "run"] = args;
  if (command === "run") {
    await run();
    return undefined;
  }
  const { runCli } = await import("./cli.ts");
  return runCli(args, process.env, (text) => process.stdout.write(text));
}

try {
  const code = await main(process.argv.slice(2));
  if (code !== undefined) {
    process.exitCode = code;
  }
} catch (error) {
  const aborted = error instanceof Error && error.name === "AbortError";
  if (!aborted) {
    const text =
      error instanceof EnvironmentError
        ? error.message
        : error instanceof Error
          ? error.stack
          : String(error);
    process.stderr.write(`${text}\n`);
    process.exit(1);
  }
}
