import { readFileSync, writeFileSync } from "node:fs";
import { stringify } from "yaml";
import { guildDefinition, restoreDefinition } from "./custom-resource.ts";
import { withFieldReference } from "./field-reference.ts";

function yamlOf(definition: Record<string, unknown>, source: string): string {
  const note = `# Generated from ${source} by \`npm run generate\`; a test fails when it is stale.\n`;
  return note + stringify(definition, { lineWidth: 0, aliasDuplicateObjects: false });
}

/** The generated files of this folder by name, with their text. */
export function generatedFiles(): Record<string, string> {
  return {
    "dkpguilds.yaml": yamlOf(guildDefinition(), "dkp-guild.ts"),
    "dkprestores.yaml": yamlOf(restoreDefinition(), "dkp-restore.ts"),
  };
}

if (import.meta.main) {
  for (const [name, text] of Object.entries(generatedFiles())) {
    writeFileSync(new URL(name, import.meta.url), text);
  }
  const page = new URL("../docs/fields.md", import.meta.url);
  const before = readFileSync(page, "utf8");
  const after = withFieldReference(before);
  if (after !== before) writeFileSync(page, after);
}
