/** Nothing, as the API server may leave it out. */
function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

/** Lists that server-side apply merges by a key; to other entries in them we say nothing. */
const mergeKeys: Record<string, string> = {
  containers: "name",
  env: "name",
  volumes: "name",
  volumeMounts: "mountPath",
  ownerReferences: "uid",
};

const suffixes: Record<string, number> = {
  "": 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
};

/** A Kubernetes quantity as a number; undefined for anything else. */
export function quantity(text: unknown): number | undefined {
  const [, digits, suffix] = /^([0-9.]+)(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi)?$/.exec(String(text)) ?? [];
  return digits === undefined ? undefined : Number(digits) * (suffixes[suffix ?? ""] ?? Number.NaN);
}

/** The API server writes quantities in its own way: "1000m" comes back as "1". */
function sameQuantity(live: unknown, desired: unknown): boolean {
  const amount = quantity(desired);
  return amount !== undefined && amount === quantity(live);
}

function coversList(live: unknown[], desired: unknown[], field: string): boolean {
  const key = mergeKeys[field];
  if (key === undefined) {
    return live.length === desired.length && desired.every((entry, index) => covers(live[index], entry));
  }
  const keyOf = (entry: unknown) => (entry as Record<string, unknown>)[key];
  const byKey = new Map(live.map((entry) => [keyOf(entry), entry]));
  return desired.every((entry) => covers(byKey.get(keyOf(entry)), entry));
}

/**
 * Whether `live` holds everything that `desired` says. What the server or somebody else added is tolerated where server-side apply
 * would leave it too, so that a steady state needs no write.
 */
export function covers(live: unknown, desired: unknown, field = ""): boolean {
  if (isEmpty(desired) && isEmpty(live)) return true;
  if (Array.isArray(desired)) return Array.isArray(live) && coversList(live, desired, field);
  if (typeof desired !== "object" || desired === null) return live === desired;
  if (typeof live !== "object" || live === null) return false;
  const values = live as Record<string, unknown>;
  return Object.entries(desired).every(([name, value]) =>
    field === "requests" || field === "limits"
      ? sameQuantity(values[name], value)
      : covers(values[name], value, name),
  );
}
