import { readFile } from "node:fs/promises";
import type * as z from "zod";

/** Every fault of the environment at once; the message lists them a line each, without any value. */
export class EnvironmentError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`The environment is not usable:\n${faults.map((fault) => `  - ${fault}`).join("\n")}`);
    this.name = "EnvironmentError";
    this.faults = faults;
  }
}

/**
 * The environment by `schema`; an empty variable counts as unset. Throws EnvironmentError. Sentences say what was expected,
 * never what was found: a schema's own messages must keep to that too.
 */
export function parseEnvironment<S extends z.ZodType>(
  schema: S,
  environment: Record<string, string | undefined>,
): z.output<S> {
  const given = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ""),
  );
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new EnvironmentError(parsed.error.issues.map((issue) => fault(issue, given)));
}

function fault(issue: z.core.$ZodIssue, given: Record<string, unknown>): string {
  const variable = issue.path.join(".");
  if (variable === "") return issue.message;
  const isMissing = issue.code === "invalid_type" && given[variable] === undefined;
  return isMissing ? `${variable} is not set.` : `${variable}: ${issue.message}`;
}

/** A mounted secret is small; a larger file is the wrong file. */
const secretLimit = 64 * 1024;

/** The content of a mounted secret without surrounding white space. Throws without any of the content in the message. */
export async function readSecretFile(path: string): Promise<string> {
  let content: string;
  try {
    content = (await readFile(path, "utf8")).trim();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    throw new Error(`The secret file ${path} cannot be read (${code}).`, { cause: error });
  }
  if (content === "") throw new Error(`The secret file ${path} is empty.`);
  if (content.length > secretLimit) throw new Error(`The secret file ${path} is too large to be a secret.`);
  return content;
}
