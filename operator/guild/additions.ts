/**
 * Server-side apply leaves alone what others added beside our fields. In a Deployment or a Service that is not good enough: one more label
 * in a selector selects nothing, one more variable is another program. These fields are ours as a whole.
 */
const closedKinds = new Set(["Deployment", "Service"]);
const closedMaps = new Set(["selector", "matchLabels", "requests", "limits", "nodeSelector"]);
const closedLists = new Set(["containers", "env", "volumes", "volumeMounts", "ports", "args"]);

/** Fields that we never set, and that would change what runs. */
const unwanted = [
  "initContainers",
  "envFrom",
  "command",
  "nodeSelector",
  "hostNetwork",
  "hostPID",
  "hostIPC",
  "externalIPs",
];

type Fields = Record<string, unknown>;

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function extraKeys(live: Fields, desired: Fields, field: string): string[] {
  const barred = closedMaps.has(field)
    ? Object.keys(live)
    : unwanted.filter((name) => live[name] !== undefined);
  return barred.filter((name) => desired[name] === undefined);
}

function hasAdditions(live: unknown, desired: unknown, field: string): boolean {
  if (Array.isArray(live) && Array.isArray(desired)) {
    if (closedLists.has(field) && live.length !== desired.length) return true;
    return desired.some((entry, index) => hasAdditions(live[index], entry, ""));
  }
  if (!isFields(live) || !isFields(desired)) return false;
  if (extraKeys(live, desired, field).length > 0) return true;
  return Object.entries(desired).some(([name, value]) => hasAdditions(live[name], value, name));
}

/** `desired` as a merge patch that takes the additions away: null for keys, whole lists for entries. */
function without(live: unknown, desired: unknown, field: string): unknown {
  if (!isFields(live) || !isFields(desired)) return desired;
  const kept = Object.entries(desired).map(([name, value]) => [name, without(live[name], value, name)]);
  return Object.fromEntries([...kept, ...extraKeys(live, desired, field).map((name) => [name, null])]);
}

/** A merge patch that takes away what somebody else added to `live`; undefined when there is nothing to take away. */
export function withoutAdditions(live: Fields, desired: Fields): { spec: unknown } | undefined {
  if (!closedKinds.has(String(desired["kind"]))) return undefined;
  if (!hasAdditions(live["spec"], desired["spec"], "spec")) return undefined;
  return { spec: without(live["spec"], desired["spec"], "spec") };
}
