import { leases, secrets } from "../../operator/guild/resources.ts";
import { watched } from "../../operator/world.ts";
import type { Resource } from "../../runtime/kube/object.ts";

/** Every kind of object that the operator makes for a guild: those that it watches, and those that it looks at one by one. */
export const childKinds: readonly Resource[] = [...watched, secrets, leases];
