import { type Schema, openApiSchema } from "./custom-resource.ts";
import { specSchema } from "./dkp-guild.ts";

const start = "<!-- fields:start -->";
const end = "<!-- fields:end -->";

function kindOf(schema: Schema): string {
  if (schema["x-kubernetes-int-or-string"] === true) return "amount";
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(", ");
  if (schema.type === "array")
    return `list of ${schema.items === undefined ? "values" : kindOf(schema.items)}`;
  if (schema.type === "integer" && schema.minimum !== undefined && schema.maximum !== undefined) {
    return `${schema.minimum}–${schema.maximum}`;
  }
  return schema.type ?? "value";
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function rows(path: string, schema: Schema, required: boolean): string[] {
  const fallback =
    schema.default === undefined || schema.default === "" || isEmpty(schema.default)
      ? required
        ? "**required**"
        : ""
      : `\`${JSON.stringify(schema.default).replaceAll('"', "")}\``;
  const description = (schema.description ?? "").replaceAll("|", "\\|");
  const own = `| \`${path}\` | ${kindOf(schema)} | ${fallback} | ${description} |`;
  const inner = schema.type === "array" ? schema.items : schema;
  const prefix = schema.type === "array" ? `${path}[]` : path;
  const below = Object.entries(inner?.properties ?? {}).flatMap(([name, property]) =>
    rows(`${prefix}.${name}`, property, inner?.required?.includes(name) ?? false),
  );
  return [own, ...below];
}

/** What each field of `spec` does, as a Markdown table. */
function fieldReference(): string {
  const spec = openApiSchema(specSchema);
  const fields = Object.entries(spec.properties ?? {}).flatMap(([name, property]) =>
    rows(`spec.${name}`, property, spec.required?.includes(name) ?? false),
  );
  return ["| field | values | default | what it does |", "|---|---|---|---|", ...fields].join("\n");
}

/** `readme` with the table between its markers brought up to date; unchanged when it has no markers. */
export function withFieldReference(readme: string): string {
  const from = readme.indexOf(start);
  const to = readme.indexOf(end);
  if (from < 0 || to < from) return readme;
  return `${readme.slice(0, from + start.length)}\n\n${fieldReference()}\n\n${readme.slice(to)}`;
}
