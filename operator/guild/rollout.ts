import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { DkpGuildStatus } from "../../crds/status.ts";
import { timestamp } from "./time.ts";

export type Rollout = NonNullable<DkpGuildStatus["rollout"]>;

/** Tries the image once more that failed on this guild; the operator takes it away when it does. */
export const retryAnnotation = "dkp.dev/retry-rollout";

/** Leave to begin, or why not yet. */
export type Turn = { granted: true } | { granted: false; why: string };

/** Whether no pods are wanted, so that an image can neither fail nor prove itself. */
export function isResting({ spec }: DkpGuild): boolean {
  return spec.bot.replicas === 0 || spec.hibernate;
}

export function isRetryAsked({ metadata }: DkpGuild): boolean {
  return metadata.annotations?.[retryAnnotation] !== undefined;
}

/**
 * The rollout as it is to go on: undefined where the wanted image is the one that last served, or where nothing ever served and so there is
 * nothing to return to. `ask` takes a turn in the fleet. A failure stands until another image is wanted or somebody asks for a retry.
 */
export function nextRollout(
  guild: DkpGuild,
  wanted: string,
  facts: { nowMs: number; hasFailedJob: boolean },
  ask: () => Turn,
): Rollout | undefined {
  const { lastHealthyImage: healthy, rollout } = guild.status ?? {};
  const before = rollout?.image === wanted ? rollout : undefined;
  if (healthy === undefined) return undefined;
  if (healthy === wanted) return before?.state === "Done" ? before : undefined;
  if (isResting(guild)) return before;
  if (before?.state === "Progressing") return before;
  if (before?.state === "Failed" && !isRetryAsked(guild)) return before;
  // A Job that failed before must not be taken for the new attempt's.
  const turn: Turn = facts.hasFailedJob
    ? { granted: false, why: "The migration Job that failed is cleared away first" }
    : ask();
  return step(
    before,
    turn.granted
      ? { image: wanted, state: "Progressing" }
      : { image: wanted, state: "Waiting", message: turn.why },
    facts.nowMs,
  );
}

/** The next record; its time is that of the last change of image or state. */
export function step(before: Rollout | undefined, next: Rollout, nowMs: number): Rollout {
  const isSame = before?.image === next.image && before.state === next.state;
  const now = timestamp(nowMs);
  const message = next.message?.slice(0, 512);
  return {
    image: next.image,
    state: next.state,
    since: isSame && before.since !== undefined ? before.since : now,
    ...(message === undefined ? {} : { message }),
  };
}

/** The image to run now: the wanted one, or the last healthy one while the wanted one waits or after it failed. */
export function targetImage(wanted: string, healthy: string | undefined, rollout: Rollout | undefined) {
  const isHeld = rollout?.image === wanted && (rollout.state === "Waiting" || rollout.state === "Failed");
  return isHeld && healthy !== undefined ? healthy : wanted;
}
