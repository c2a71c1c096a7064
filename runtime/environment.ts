import type { z } from "zod";

/** Every fault of the environment at once; the message lists them a line each, without any value. */
export class EnvironmentError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`The environment is not usable:\n${faults.map((fault) => `  - ${fault}`).join("\n")}`);
    this.name = "EnvironmentError";
    this.faults = faults;
  }
}

/** The environment by `schema`; an empty variable counts as unset. Throws EnvironmentError. */
export function parseEnvironment<S extends z.ZodType>(
  _schema: S,
  _environment: Record<string, string | undefined>,
): z.output<S> {
  throw new Error("not built yet");
}

/** The content of a mounted secret without surrounding white space. Throws without any of the content in the message. */
export async function readSecretFile(_path: string): Promise<string> {
  throw new Error("not built yet");
}
