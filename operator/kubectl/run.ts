import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import { type KubeClient, kubeClient } from "../../runtime/kube/client.ts";
import { connectionFromKubeConfig } from "../../runtime/kube/config.ts";
import { KubeError } from "../../runtime/kube/error.ts";
import { backup } from "./backup.ts";
import { type Command, Failure, type Flags, UsageError } from "./command.ts";
import { plan } from "./plan.ts";
import { restore } from "./restore.ts";
import { status } from "./status.ts";
import { fieldManager, pause, resume } from "./suspend.ts";
import type { Terminal } from "./terminal.ts";
import { why } from "./why.ts";

/** What the plugin needs of the process. */
export type Host = Terminal & {
  /** Where kubectl would look for its configuration. */
  kubeconfigs: readonly string[];
  read(path: string): Promise<string>;
};

const commands: Record<string, Command> = { status, why, plan, pause, resume, backup, restore };

const common: ParseArgsOptionsConfig = {
  namespace: { type: "string", short: "n" },
  "all-namespaces": { type: "boolean", short: "A" },
  context: { type: "string" },
  kubeconfig: { type: "string" },
  json: { type: "boolean" },
  output: { type: "string", short: "o" },
  help: { type: "boolean", short: "h" },
};

const commonHelp = `Flags of every command:
  -n, --namespace NAME    the guild's namespace; that of the context when left out
  -A, --all-namespaces    all namespaces (status without a name)
      --context NAME      another context of the kubeconfig
      --kubeconfig FILE   another kubeconfig
      --json, -o json     JSON instead of text (status, why, plan)
  -h, --help              this text`;

function overview(): string {
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(9)} ${summary}`);
  return `kubectl dkp: DkpGuilds at a glance, and what one does with them

Usage: kubectl dkp COMMAND [flags]

${lines.join("\n")}

${commonHelp}

kubectl dkp COMMAND --help tells more. Exit code: 0 done, 1 failed, 2 wrong usage (plan has codes of its own).`;
}

function helpOf(name: string, { summary, synopsis, details }: Command): string {
  return `kubectl dkp ${name}: ${summary}

Usage: kubectl dkp ${name} ${synopsis} [flags]

${details}

${commonHelp}`;
}

/** Runs the plugin; answers the exit code. */
export async function runDkp(args: readonly string[], host: Host): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    host.say(overview());
    return name === undefined ? 2 : 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  try {
    if (command === undefined)
      throw new UsageError(`There is no command ${name}: choose from ${Object.keys(commands).join(", ")}.`);
    return await runCommand(name, command, rest, host);
  } catch (error) {
    return failed(name, error, host);
  }
}

/** Told in one sentence what went wrong, where it is known what it was. */
function failed(name: string, error: unknown, host: Host): number {
  if (error instanceof UsageError) {
    host.note(`${error.message}\nSee kubectl dkp ${Object.hasOwn(commands, name) ? `${name} ` : ""}--help.`);
    return 2;
  }
  // In a plan 1 means that something would change.
  const code = name === "plan" ? 3 : 1;
  if (error instanceof Failure) host.note(error.message);
  else if (error instanceof KubeError) host.note(kubeSentence(error));
  else throw error;
  return code;
}

function kubeSentence({ status: code, reason, message }: KubeError): string {
  const said = message.replace(/^[A-Z]+ \S+: (\d+ \w+: )?/, "");
  if (code === 401)
    return "The API server does not know you: log in again, or choose another context by --context.";
  if (code === 403) return `You may not do that: ${said}`;
  if (code === 0) return `The API server cannot be reached: ${said}`;
  return `The API server refuses (${reason}): ${said}`;
}

function parsed(command: Command, args: string[]): { flags: Flags; positionals: string[] } {
  try {
    const options = { ...common, ...command.options };
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    return { flags: values as Flags, positionals };
  } catch (error) {
    throw new UsageError(error instanceof Error ? (error.message.split(". ")[0] ?? "") : String(error));
  }
}

async function runCommand(name: string, command: Command, args: string[], host: Host): Promise<number> {
  const { flags, positionals } = parsed(command, args);
  if (flags["help"] === true) {
    host.say(helpOf(name, command));
    return 0;
  }
  const [least, most] = command.positionals;
  if (positionals.length < least || positionals.length > most)
    throw new UsageError(`It is called as: kubectl dkp ${name} ${command.synopsis}`);
  if (flags["output"] !== undefined && flags["output"] !== "json")
    throw new UsageError(`-o knows json, not ${String(flags["output"])}.`);
  const { client, namespace } = await connect(flags, host);
  try {
    return await command.run({
      client,
      terminal: host,
      namespace: flags["all-namespaces"] === true ? undefined : namespace,
      json: flags["json"] === true || flags["output"] === "json",
      flags,
      positionals,
      clock: () => Date.now(),
      read: (path) => readable(host, path),
    });
  } finally {
    await client.close();
  }
}

async function readable(host: Host, path: string): Promise<string> {
  try {
    return await host.read(path);
  } catch (error) {
    throw new Failure(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function connect(flags: Flags, host: Host): Promise<{ client: KubeClient; namespace: string }> {
  const files = typeof flags["kubeconfig"] === "string" ? [flags["kubeconfig"]] : host.kubeconfigs;
  const context = typeof flags["context"] === "string" ? flags["context"] : undefined;
  let connection: Awaited<ReturnType<typeof connectionFromKubeConfig>>;
  try {
    connection = await connectionFromKubeConfig(files, context);
  } catch (error) {
    throw new Failure(`No cluster: ${error instanceof Error ? error.message : String(error)}`);
  }
  const client = kubeClient({ connection, fieldManager, userAgent: "kubectl-dkp/0.1.0", attempts: 2 });
  const named = flags["namespace"];
  return { client, namespace: typeof named === "string" ? named : (connection.namespace ?? "default") };
}
