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

const args = process.argv.slice(2);
try {
  const code = await main(args);
  if (code !== undefined) {
    process.exitCode = code;
  }
} catch (error) {
  // A shutdown that began before the bot served is no failure; its steps end the process.
  if (!(error instanceof Error && error.name === "AbortError")) {
    process.stderr.write(`${told(error)}\n`);
    process.exit(1);
  }
}

/** A sentence for whoever typed a command or set a variable; the whole stack for a failure of the running bot. */
function told(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  if (error instanceof EnvironmentError) {
    return error.message;
  }
  const cause = error.cause instanceof Error ? `\n  because: ${error.cause.message}` : "";
  return args.length > 0 && args[0] !== "run"
    ? `${error.name}: ${error.message}${cause}`
    : (error.stack ?? "");
}
