import type { ParseArgsOptionsConfig } from "node:util";
import type { KubeClient } from "../../runtime/kube/client.ts";
import type { Terminal } from "./terminal.ts";

/** Values of a command's flags. */
export type Flags = Record<string, string | boolean | undefined>;

/** What every command is given. */
export type Call = {
  client: KubeClient;
  terminal: Terminal;
  /** The namespace that -n or the context names; undefined with -A. */
  namespace: string | undefined;
  json: boolean;
  flags: Flags;
  /** What is neither flag nor the command's name. */
  positionals: string[];
  clock: () => number;
  /** A file's content, or that of standard input for "-". */
  read(path: string): Promise<string>;
};

export type Command = {
  summary: string;
  /** What stands behind the name, for example "GUILD". */
  synopsis: string;
  /** How many positionals there may be, at least and at most. */
  positionals: [number, number];
  details: string;
  options: ParseArgsOptionsConfig;
  /** Answers the exit code. */
  run(call: Call): Promise<number>;
};

/** The command was called wrongly: exit code 2, with a sentence that says how it is called. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The command could not do what it was asked: a sentence for the person who asked. */
export class Failure extends Error {
  override readonly name = "Failure";
}

/** The namespace of a command that is about one guild. */
export function oneNamespace({ namespace }: Call): string {
  if (namespace === undefined)
    throw new UsageError("Name one namespace by -n: this command is about one guild.");
  return namespace;
}

/** Milliseconds of a duration such as 90s, 10m or 2h. */
export function durationMs(text: string): number {
  const [, count, unit = "s"] = /^(\d+)(s|m|h)?$/.exec(text) ?? [];
  if (count === undefined)
    throw new UsageError(`--timeout must be a duration such as 90s, 10m or 2h, not ${text}.`);
  return Number(count) * { s: 1_000, m: 60_000, h: 3_600_000 }[unit as "s" | "m" | "h"];
}
