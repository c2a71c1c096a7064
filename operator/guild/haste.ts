import type { Condition, DkpGuildStatus } from "../../crds/status.ts";
import { announced, onTheWay } from "./transitions.ts";

/** Phases that a guild is in for as long as it is on its way, and no longer. */
export const passing: ReadonlySet<string | undefined> = new Set([
  "Pending",
  "DatabaseProvisioning",
  "Migrating",
  "Deploying",
  "Updating",
]);

/** Fields that only tell; the others are also remembered by, so they are written before anything is done about them. */
const telling = new Set([
  "observedGeneration",
  "phase",
  "conditions",
  "replicas",
  "readyReplicas",
  "selector",
  "image",
  "tokenHash",
  "leader",
  "database",
  "footprint",
]);

/**
 * Whether a new status only says how far a guild has come on its way, so that it may stay unwritten for a moment in which the guild may well
 * come further. What has worked and works no more, what a person has to see to, and what a person has just asked for never waits.
 */
export function mayWait(before: DkpGuildStatus | undefined, after: DkpGuildStatus): boolean {
  const isFirst = before?.phase === undefined;
  if (!passing.has(after.phase)) return false;
  if (!isFirst && !passing.has(before.phase)) return false;
  if (!isFirst && before.observedGeneration !== after.observedGeneration) return false;
  const differs = (name: keyof DkpGuildStatus) => !sameJson(before?.[name], after[name]);
  const fields = new Set([...Object.keys(before ?? {}), ...Object.keys(after)]) as Set<keyof DkpGuildStatus>;
  if ([...fields].some((name) => !telling.has(name) && differs(name))) return false;
  return (after.conditions ?? []).every((condition) => isCalm(before, condition));
}

/** Nothing new, or nothing but the ordinary way up. */
function isCalm(before: DkpGuildStatus | undefined, { type, status, reason }: Condition): boolean {
  if (status === "True" || (type !== "Ready" && !announced.has(type))) return true;
  const old = before?.conditions?.find((condition) => condition.type === type);
  if (old?.status === status && old.reason === reason) return true;
  return old?.status !== "True" && onTheWay.has(reason);
}

type Fields = Record<string, unknown>;

/** Whether two values are the same JSON: the order of keys and what is undefined do not count. */
export function sameJson(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (Array.isArray(one) || Array.isArray(other)) {
    if (!Array.isArray(one) || !Array.isArray(other) || one.length !== other.length) return false;
    return one.every((entry, index) => sameJson(entry, other[index]));
  }
  return covered(one as Fields, other as Fields) && covered(other as Fields, one as Fields, true);
}

/** Whether each field of `one` is the same in `other`, or at least there. */
function covered(one: Fields, other: Fields, presence = false): boolean {
  return Object.keys(one).every(
    (name) =>
      one[name] === undefined || (presence ? other[name] !== undefined : sameJson(one[name], other[name])),
  );
}
