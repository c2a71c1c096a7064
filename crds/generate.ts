import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { stringify } from "yaml";
import { customResourceDefinition } from "./custom-resource.ts";
import { withFieldReference } from "./field-reference.ts";

/** The text of `crds/dkpguilds.yaml`. */
export function customResourceDefinitionYaml(): string {
  const note = "# Generated from dkp-guild.ts by `npm run generate`; a test fails when it is stale.\n";
  return note + stringify(customResourceDefinition(), { lineWidth: 0, aliasDuplicateObjects: false });
}

if (import.meta.main) {
  writeFileSync(new URL("dkpguilds.yaml", import.meta.url), customResourceDefinitionYaml());
  const readme = new URL("../README.md", import.meta.url);
  if (existsSync(readme)) {
    const before = readFileSync(readme, "utf8");
    const after = withFieldReference(before);
    if (after !== before) writeFileSync(readme, after);
  }
}
