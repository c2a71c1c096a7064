import * as spec from "discord-api-spec/zod";

export type ErrorTree = { [field: string]: ErrorTree } | { _errors: { code: string; message: string }[] };

/** Names of schemas in `discord-api-spec`, without their suffix. */
export type SchemaName = string;

type Issue = {
  code: string;
  path: PropertyKey[];
  message: string;
  errors?: Issue[][];
  expected?: string;
  values?: unknown[];
  minimum?: number;
  maximum?: number;
  origin?: string;
};
type Schema = {
  safeParse(value: unknown): { success: boolean; data?: unknown; error?: { issues: Issue[] } };
};

const schemas = spec as unknown as Record<string, Schema | undefined>;

/** What a value breaks of a schema, and what it holds that the schema does not know. */
export type Finding = { errors: ErrorTree | undefined; unknown: string[] };

/**
 * Compares a value with a published schema. `errors` are the faults as Discord nests them, or undefined when it fits;
 * `unknown` are the paths of fields that carry something and that Discord would ignore in silence.
 */
export function examine(name: SchemaName, value: unknown): Finding {
  const schema = schemas[`${name}Schema`];
  if (schema === undefined) throw new Error(`discord-api-spec has no schema ${name}`);
  const result = schema.safeParse(value);
  if (result.success) return { errors: undefined, unknown: missingIn(result.data, value, "") };
  return { errors: errorTree((result.error?.issues ?? []).flatMap(closest)), unknown: [] };
}

/** Of a union's alternatives, the faults of the one that was meant: the one whose `type` fits. */
function closest(issue: Issue): Issue[] {
  if (issue.code !== "invalid_union" || issue.errors === undefined || issue.errors.length === 0)
    return [issue];
  const about = (issues: Issue[]) =>
    issues.filter(({ path }) => path.length === 0 || (path.length === 1 && path[0] === "type")).length;
  const [best] = [...issue.errors].sort((a, b) => about(a) - about(b) || a.length - b.length);
  return (best ?? []).flatMap((inner) => closest({ ...inner, path: [...issue.path, ...inner.path] }));
}

function errorTree(issues: Issue[]): ErrorTree {
  return tree(issues.map((issue) => ({ path: issue.path.map(String), ...discordError(issue) })));
}

/** Nests faults by their paths, as Discord answers them. */
export function tree(faults: { path: string[]; code: string; message: string }[]): ErrorTree {
  const root: Record<string, unknown> = {};
  for (const { path, code, message } of faults) {
    let node = root;
    for (const step of path) {
      node[step] ??= {};
      node = node[step] as Record<string, unknown>;
    }
    node["_errors"] ??= [];
    (node["_errors"] as unknown[]).push({ code, message });
  }
  return root as ErrorTree;
}

function discordError(issue: Issue): { code: string; message: string } {
  if (issue.code === "invalid_value") {
    return {
      code: "BASE_TYPE_CHOICES",
      message: `Value must be one of {${(issue.values ?? []).join(", ")}}.`,
    };
  }
  if (issue.code === "too_big") {
    return issue.origin === "number"
      ? { code: "NUMBER_TYPE_MAX", message: `Value should be less than or equal to ${issue.maximum}.` }
      : { code: "BASE_TYPE_MAX_LENGTH", message: `Must be ${issue.maximum} or fewer in length.` };
  }
  if (issue.code === "too_small") {
    return issue.origin === "number"
      ? { code: "NUMBER_TYPE_MIN", message: `Value should be greater than or equal to ${issue.minimum}.` }
      : { code: "BASE_TYPE_MIN_LENGTH", message: `Must be ${issue.minimum} or more in length.` };
  }
  if (issue.code === "invalid_format") return { code: "BASE_TYPE_FORMAT", message: issue.message };
  return {
    code: "BASE_TYPE_REQUIRED",
    message: `This field is required or of the wrong type (${issue.expected ?? issue.code}).`,
  };
}

function missingIn(known: unknown, given: unknown, at: string): string[] {
  if (typeof given !== "object" || given === null || typeof known !== "object" || known === null) return [];
  return Object.entries(given).flatMap(([key, inner]) => {
    const path = at === "" ? key : `${at}.${key}`;
    if (!(key in known)) return inner === null || inner === false ? [] : [path];
    return missingIn((known as Record<string, unknown>)[key], inner, path);
  });
}
