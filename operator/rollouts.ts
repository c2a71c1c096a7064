import type { DkpGuild } from "../crds/dkp-guild.ts";
import { objectKey } from "../runtime/kube/object.ts";
import type { Logger } from "../runtime/log.ts";
import { type Standing, openFleet, rolloutDefaults, standing } from "./guild/fleet.ts";
import { wantedImage } from "./guild/pod.ts";
import type { Turn } from "./guild/rollout.ts";
import type { GuildSettings } from "./guild/settings.ts";

/** Who may roll out when: the fleet's counts, kept up to date from the cache of guilds, and the waking of those whose turn it is. */
export type Rollouts = {
  /** A guild as the cache holds it now. */
  onHeld(guild: DkpGuild): void;
  onDropped(guild: DkpGuild): void;
  /** Takes a turn for this guild, which holds until its status says what became of it. */
  take(guild: DkpGuild): Turn;
  isOutage(): boolean;
};

export function openRollouts(options: {
  settings: GuildSettings;
  /** Has a guild looked at. */
  wake(key: string): void;
  log: Logger;
}): Rollouts {
  const { settings, wake, log } = options;
  const fleet = openFleet(settings.rollout ?? rolloutDefaults);
  /** Images whose turn was given and is in no status yet, by guild. */
  const reserved = new Map<string, string>();

  const place = (key: string, next: Standing | undefined) => {
    const before = fleet.get(key);
    if (isSame(before, next)) return;
    const waves = [...new Set([before, next].flatMap((each) => (each === undefined ? [] : [each.wave])))];
    const halted = new Set(waves.filter((wave) => fleet.isHalted(wave)));
    fleet.set(key, next);
    for (const wave of waves) {
      if (!fleet.isHalted(wave) || halted.has(wave)) continue;
      log.warn({ image: wave }, "a rollout was halted: too many guilds failed on this image");
      // They say so in their status.
      fleet.waiting(wave).forEach(wake);
    }
    fleet.next().forEach(wake);
  };

  return {
    onHeld(guild) {
      const key = objectKey(guild.metadata);
      const wanted = wantedImage(guild, settings);
      const { rollout } = guild.status ?? {};
      const isRecorded =
        rollout?.image === wanted && (rollout.state === "Progressing" || rollout.state === "Done");
      if (isRecorded || reserved.get(key) !== wanted) reserved.delete(key);
      const found = standing(guild, wanted);
      place(key, reserved.has(key) ? underWay(found) : found);
    },
    onDropped(guild) {
      const key = objectKey(guild.metadata);
      reserved.delete(key);
      place(key, undefined);
    },
    take(guild) {
      const key = objectKey(guild.metadata);
      const wanted = wantedImage(guild, settings);
      const found = standing(guild, wanted);
      if (reserved.get(key) === wanted) return { granted: true };
      const turn = fleet.turn(guild, found);
      if (turn.granted) {
        reserved.set(key, wanted);
        place(key, underWay(found));
      }
      return turn;
    },
    isOutage: () => fleet.isOutage(),
  };
}

function underWay(found: Standing): Standing {
  return found.state === "Out" ? found : { ...found, state: "Progressing" };
}

function isSame(a: Standing | undefined, b: Standing | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.wave === b.wave &&
    a.channel === b.channel &&
    a.state === b.state &&
    a.counts === b.counts &&
    a.isWell === b.isWell &&
    a.mayBegin === b.mayBegin
  );
}
