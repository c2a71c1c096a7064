import type { KubeObject } from "../../runtime/kube/object.ts";
import { withoutAdditions } from "./additions.ts";
import { appliedAnnotation } from "./child.ts";
import { covers } from "./covers.ts";
import { emptied } from "./shell.ts";

/** Where an object bears the hash of the wishes that it was found to fulfil: nothing that comes from the API can be taken for it. */
const rightFor = Symbol("rightFor");

type Compared = KubeObject & { [rightFor]?: string | undefined };

function wishOf({ metadata }: KubeObject): string | undefined {
  return metadata.annotations?.[appliedAnnotation];
}

/** Whether this version of the object was found to be all that `desired` says: then it need not be compared again. */
export function isRight(live: KubeObject, desired: KubeObject): boolean {
  const wish = wishOf(desired);
  return wish !== undefined && (live as Compared)[rightFor] === wish;
}

/**
 * A live object compared with what is wanted. One that is right is marked so, and of most kinds only what somebody reads is left. What
 * anybody changes comes from the API server as a new version, whole and without the mark.
 */
export function compared(live: KubeObject, desired: KubeObject): KubeObject {
  const wish = wishOf(desired);
  if (wish === undefined || isRight(live, desired) || live.metadata.deletionTimestamp !== undefined)
    return live;
  if (!covers(live, desired) || withoutAdditions(live, desired) !== undefined) return live;
  return marked(emptied(live) ?? { ...live }, wish);
}

/** The mark is no part of the object: whoever copies or compares it does not see it. */
function marked(object: KubeObject, wish: string): KubeObject {
  return Object.defineProperty(object, rightFor, { value: wish });
}
