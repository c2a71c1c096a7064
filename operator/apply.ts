import type { DkpGuild } from "../crds/dkp-guild.ts";
import type { KubeClient } from "../runtime/kube/client.ts";
import { isKubeError } from "../runtime/kube/error.ts";
import type { KubeObject } from "../runtime/kube/object.ts";
import { type Child, appliedAnnotation, belongsTo, childKey } from "./guild/child.ts";
import { withoutAdditions } from "./guild/additions.ts";
import { covers } from "./guild/covers.ts";
import { compared, isRight } from "./guild/right.ts";
import { unshelled } from "./guild/shell.ts";

/** What became of one child. */
export type Applied =
  | { outcome: "unchanged" | "created" | "updated" | "reverted"; child: Child; live: KubeObject }
  | { outcome: "taken"; child: Child }
  | { outcome: "refused"; child: Child; error: unknown };

/** Binding needs its Role, and pods and Jobs need everything else. */
const last = new Set(["RoleBinding", "Job", "Deployment"]);
/** PostgreSQL's pods are refused while the store that they archive to is not there. */
const foremost = new Set(["ObjectStore"]);

const isOf = (set: Set<string>) => (child: Child) => set.has(child.resource.kind);

/**
 * Makes the children what they ought to be, those that do not depend on one another side by side. Sends nothing for a child that is
 * already right, and never touches an object that is not the guild's. `onApplied` is told of each as soon as it is answered, so that the
 * watch, which tells of it a moment later, tells nothing new.
 */
export async function applyChildren(
  client: KubeClient,
  guild: DkpGuild,
  children: Child[],
  live: ReadonlyMap<string, KubeObject>,
  onApplied: (result: Applied) => void,
): Promise<Applied[]> {
  const one = async (child: Child) => {
    const result = await applyChild(client, guild, child, live.get(childKey(child.object)));
    onApplied(result);
    return result;
  };
  const wave = (wanted: Child[]) => Promise.all(wanted.map(one));
  const stores = await wave(children.filter(isOf(foremost)));
  const middle = children.filter((child) => !isOf(foremost)(child) && !isOf(last)(child));
  const first = [...stores, ...(await wave(middle))];
  if (first.some(({ outcome }) => outcome === "taken" || outcome === "refused")) return first;
  return [...first, ...(await wave(children.filter(isOf(last))))];
}

async function applyChild(
  client: KubeClient,
  guild: DkpGuild,
  child: Child,
  known: KubeObject | undefined,
): Promise<Applied> {
  try {
    if (child.upkeep === "once") return await makeOnce(client, guild, child, known);
    if (known !== undefined) return await keep(client, child, known);
    const made = await applyNew(client, child);
    if (made !== undefined) return { outcome: "created", child, live: compared(made, child.object) };
    const live = await found(client, child);
    return belongsTo(guild, live) ? await keep(client, child, live) : { outcome: "taken", child };
  } catch (error) {
    return { outcome: "refused", child, error };
  }
}

/** A version that no object has: etcd counts on from there before the API server writes its first. */
const noVersion = "1";

/**
 * Makes a child by server-side apply, which would merge into whatever bears the name: a version that nothing has makes the API server
 * refuse that (409), and is not looked at where there is nothing yet. So one request makes the child and gives us its fields as an
 * apply does; a plain create would record them as written by hand, and they could not be applied away later. Undefined: the name is taken.
 */
async function applyNew(client: KubeClient, { resource, object }: Child): Promise<KubeObject | undefined> {
  const metadata = { ...object.metadata, resourceVersion: noVersion };
  try {
    return await client.apply(resource, { ...object, metadata });
  } catch (error) {
    if (isKubeError(error, 409)) return undefined;
    throw error;
  }
}

/** What bears the name of a child that could not be made because of it. */
async function found(client: KubeClient, { resource, object }: Child): Promise<KubeObject> {
  const live = await client.get(resource, object.metadata);
  if (live === undefined) throw new Error(`${childKey(object)} is just being deleted`);
  return live;
}

async function keep(client: KubeClient, child: Child, held: KubeObject): Promise<Applied> {
  if (isRight(held, child.object)) return { outcome: "unchanged", child, live: held };
  const live = unshelled(held);
  const covered = covers(live, child.object);
  const applied = covered ? live : await client.apply(child.resource, child.object);
  const patch = withoutAdditions(applied, child.object);
  if (patch !== undefined) {
    const cleared = await client.mergePatch(child.resource, child.object.metadata, patch);
    return { outcome: "reverted", child, live: cleared };
  }
  const outcome = covered ? "unchanged" : outcomeOf(child, live);
  return { outcome, child, live: compared(applied, child.object) };
}

async function makeOnce(
  client: KubeClient,
  guild: DkpGuild,
  child: Child,
  known: KubeObject | undefined,
): Promise<Applied> {
  if (known !== undefined) return { outcome: "unchanged", child, live: known };
  try {
    return { outcome: "created", child, live: await client.create(child.resource, child.object) };
  } catch (error) {
    if (!isKubeError(error, 409)) throw error;
  }
  const live = await found(client, child);
  if (!belongsTo(guild, live)) return { outcome: "taken", child };
  if (isWhole(live)) return { outcome: "unchanged", child, live };
  return { outcome: "reverted", child, live: await client.apply(child.resource, child.object) };
}

/** A credential of which somebody removed a part is of no use to anyone. */
function isWhole(live: KubeObject): boolean {
  if (live.kind !== "Secret") return true;
  const data = (live["data"] ?? {}) as Record<string, string>;
  return ["username", "password"].every((key) => data[key] !== undefined && data[key] !== "");
}

function intent({ metadata }: KubeObject): string | undefined {
  return metadata.annotations?.[appliedAnnotation];
}

function outcomeOf(child: Child, live: KubeObject): "updated" | "reverted" {
  return intent(live) === intent(child.object) ? "reverted" : "updated";
}
