/** One field that differs. */
export type Difference = { path: string; before: unknown; after: unknown };

/** What the API server writes by itself, and the hash that follows from the rest. */
const bookkeeping = new Set([
  "metadata.managedFields",
  "metadata.resourceVersion",
  "metadata.generation",
  "metadata.uid",
  "metadata.creationTimestamp",
  "status",
]);

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Entries of a list by their names, where all have one: so that one more variable is one difference. */
function named(list: unknown[]): Record<string, unknown> | undefined {
  const entries = list.map((entry) => [isFields(entry) ? entry["name"] : undefined, entry] as const);
  return entries.every(([name]) => typeof name === "string") ? Object.fromEntries(entries) : undefined;
}

/** Every field in which two JSON values differ, the innermost. */
export function differences(before: unknown, after: unknown, path = ""): Difference[] {
  if (bookkeeping.has(path) || path.endsWith('["dkp.dev/applied"]')) return [];
  if (isFields(before) && isFields(after)) {
    return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((name) =>
      differences(before[name], after[name], extended(path, name)),
    );
  }
  if (Array.isArray(before) && Array.isArray(after)) return ofLists(before, after, path);
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, before, after }];
}

function ofLists(before: unknown[], after: unknown[], path: string): Difference[] {
  const [old, fresh] = [named(before), named(after)];
  if (old === undefined || fresh === undefined || before.length + after.length === 0) {
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, before, after }];
  }
  return [...new Set([...Object.keys(old), ...Object.keys(fresh)])].flatMap((name) =>
    differences(old[name], fresh[name], `${path}[${name}]`),
  );
}

function extended(path: string, name: string): string {
  if (!/^[A-Za-z0-9_-]+$/.test(name)) return `${path}["${name}"]`;
  return path === "" ? name : `${path}.${name}`;
}

/** A difference in a line: + what is added, - what is removed, ~ what changes. */
export function differenceLine({ path, before, after }: Difference): string {
  if (before === undefined) return `+ ${path}: ${shown(after)}`;
  if (after === undefined) return `- ${path}: ${shown(before)}`;
  return `~ ${path}: ${shown(before)} → ${shown(after)}`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "";
  return text.length > 160 ? `${text.slice(0, 157)}…` : text;
}
