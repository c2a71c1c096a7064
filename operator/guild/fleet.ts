import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { type Turn, isResting, isRetryAsked, retryAnnotation } from "./rollout.ts";

/** So many guilds, or so many of a hundred. */
type Share = { count: number } | { percent: number };

export type RolloutSettings = {
  /** How many guilds may be under way at once, at least one; a share is one of all guilds that run pods. */
  maxInFlight: Share;
  /** How many failures halt an image, at least two; a share is one of the guilds that have had their turn. */
  failureBudget: Share;
};

export const rolloutDefaults: RolloutSettings = {
  maxInFlight: { percent: 10 },
  failureBudget: { percent: 20 },
};

type Channel = "own" | "canary" | "stable";

/** Where a guild stands among the others, read from its spec and status alone. */
export type Standing = {
  /** Guilds that follow a channel share the rollout of its image; an image of a guild's own is a rollout of one. */
  wave: string;
  channel: Channel;
  /** "Out": not part of any rollout: never healthy yet, suspended, being deleted, or without pods. */
  state: "Out" | "Waiting" | "Progressing" | "Done" | "Failed";
  /** Whether its readiness says anything about the world: not where a person has to act on this guild. */
  counts: boolean;
  isWell: boolean;
  /** Whether it could begin: its database and all that it needs from outside are there. */
  mayBegin: boolean;
};

/** What keeps pods from becoming ready whatever image they run. */
const notTheImage = new Set([
  "SecretMissing",
  "TokenInvalid",
  "IntentsRefused",
  "NotInGuild",
  "WrongLedger",
  "IdentifyBudget",
]);

/** Stands for all images of guilds' own: each a rollout of one, without a budget. No image can bear the name. */
const ownWave = "(own)";

/** Where a guild stands; `wanted` is the image that its spec asks for. */
export function standing(guild: DkpGuild, wanted: string): Standing {
  const { status, spec } = guild;
  const isOwn = spec.bot.image !== undefined;
  const condition = (type: string) => status?.conditions?.find((entry) => entry.type === type);
  const isStalled = condition("Stalled")?.status === "True";
  const state = stateOf(guild, wanted);
  const bot = condition("BotReady");
  return {
    wave: isOwn ? ownWave : wanted,
    channel: isOwn ? "own" : spec.bot.channel,
    state,
    counts: state !== "Out" && !isStalled,
    isWell: bot?.status === "True",
    mayBegin: isOwn || (condition("DatabaseReady")?.status === "True" && !notTheImage.has(bot?.reason ?? "")),
  };
}

function stateOf(guild: DkpGuild, wanted: string): Standing["state"] {
  const { lastHealthyImage: healthy, rollout } = guild.status ?? {};
  const { deletionTimestamp } = guild.metadata;
  const isOut = guild.spec.suspend || deletionTimestamp !== undefined || isResting(guild);
  if (isOut || healthy === undefined) return "Out";
  if (healthy === wanted) return "Done";
  return rollout?.image === wanted && rollout.state !== "Done" ? rollout.state : "Waiting";
}

type Tally = { size: number; unwell: number };
type Wave = {
  done: number;
  doneTally: Tally;
  failed: number;
  progressing: Record<Channel, number>;
  /** Keys of those that could begin. */
  waiting: Record<Channel, Set<string>>;
};

/** All guilds' standings, counted as they come and go: no question about the fleet walks over it. */
export type Fleet = {
  set(key: string, standing: Standing | undefined): void;
  get(key: string): Standing | undefined;
  /** Whether this guild may begin now. */
  turn(guild: DkpGuild, standing: Standing): Turn;
  /** Whether so many guilds are unwell that no image can be blamed for it. */
  isOutage(): boolean;
  isHalted(wave: string): boolean;
  /** Keys that could begin now: as many as there are turns, those of an own image first, canaries next. */
  next(): string[];
  /** Keys that wait for the image of this wave. */
  waiting(wave: string): string[];
};

function share(of: Share, total: number): number {
  return "count" in of ? of.count : (total * of.percent) / 100;
}

export function openFleet(settings: RolloutSettings): Fleet {
  const standings = new Map<string, Standing>();
  const waves = new Map<string, Wave>();
  const total: Tally = { size: 0, unwell: 0 };
  const flight = { members: 0, inFlight: 0 };

  const count = (key: string, of: Standing, by: 1 | -1) => {
    if (of.state === "Out") return;
    const wave = waves.get(of.wave) ?? emptyWave();
    waves.set(of.wave, wave);
    flight.members += by;
    if (of.state === "Progressing") flight.inFlight += by;
    else if (of.state !== "Failed" && of.counts) tally(total, of, by);
    countIn(wave, key, of, by);
    if (by === -1 && isEmpty(wave)) waves.delete(of.wave);
  };
  const set = (key: string, standing: Standing | undefined) => {
    const before = standings.get(key);
    if (before !== undefined) count(key, before, -1);
    if (standing === undefined) standings.delete(key);
    else {
      standings.set(key, standing);
      count(key, standing, 1);
    }
  };
  const isOutage = () => total.unwell > 0 && total.unwell * 2 >= total.size;
  const isHalted = (name: string) => {
    const wave = waves.get(name);
    return wave !== undefined && halted(wave, total, settings);
  };
  const free = () => Math.max(1, Math.floor(share(settings.maxInFlight, flight.members))) - flight.inFlight;
  /** How many more of this channel may begin now. */
  const room = (name: string, wave: Wave, channel: Channel): number => {
    if (isOutage()) return 0;
    if (channel === "own") return free();
    if (isHalted(name)) return 0;
    if (channel === "stable" && [...waves].some(([other, of]) => canariesFirst(other, of, isHalted)))
      return 0;
    // Begins with one and doubles, so that an image that is broken everywhere does not reach many.
    const { canary, stable } = wave.progressing;
    return Math.min(free(), wave.done + 1 - canary - stable);
  };
  return {
    set,
    get: (key) => standings.get(key),
    turn(guild, standing) {
      const wave = waves.get(standing.wave) ?? emptyWave();
      if (isRetryAsked(guild) && free() > 0) return { granted: true };
      if (!standing.mayBegin)
        return { granted: false, why: "Waits until this guild's database and Discord are in order" };
      if (room(standing.wave, wave, standing.channel) > 0) return { granted: true };
      return { granted: false, why: whyNot(guild, standing, { isOutage, isHalted }, settings) };
    },
    isOutage,
    isHalted,
    next: () =>
      channels.flatMap((channel) =>
        [...waves].flatMap(([name, wave]) =>
          wave.waiting[channel].size === 0
            ? []
            : first(wave.waiting[channel], Math.max(0, room(name, wave, channel))),
        ),
      ),
    waiting: (name) => channels.flatMap((channel) => [...(waves.get(name)?.waiting[channel] ?? [])]),
  };
}

const channels: readonly Channel[] = ["own", "canary", "stable"];

function emptyWave(): Wave {
  return {
    done: 0,
    doneTally: { size: 0, unwell: 0 },
    failed: 0,
    progressing: { own: 0, canary: 0, stable: 0 },
    waiting: { own: new Set(), canary: new Set(), stable: new Set() },
  };
}

function isEmpty({ done, failed, progressing, waiting }: Wave): boolean {
  return (
    done === 0 &&
    failed === 0 &&
    channels.every((channel) => progressing[channel] === 0 && waiting[channel].size === 0)
  );
}

function tally(into: Tally, { isWell }: Standing, by: 1 | -1): void {
  into.size += by;
  if (!isWell) into.unwell += by;
}

function countIn(wave: Wave, key: string, of: Standing, by: 1 | -1): void {
  if (of.state === "Done") {
    wave.done += by;
    if (of.counts) tally(wave.doneTally, of, by);
  } else if (of.state === "Failed") wave.failed += by;
  else if (of.state === "Progressing") wave.progressing[of.channel] += by;
  else if (by === -1) wave.waiting[of.channel].delete(key);
  else if (of.mayBegin) wave.waiting[of.channel].add(key);
}

/** The budget is spent, and those that had their turn fare worse than those that did not. */
function halted({ failed, done, doneTally }: Wave, total: Tally, settings: RolloutSettings): boolean {
  const rolled = failed + done;
  if (failed < Math.max(2, share(settings.failureBudget, rolled))) return false;
  const control = { size: total.size - doneTally.size, unwell: total.unwell - doneTally.unwell };
  const bad = failed + doneTally.unwell;
  return control.size === 0 || bad * control.size > control.unwell * rolled;
}

/** Whether canaries of this image have yet to show how it fares. */
function canariesFirst(name: string, wave: Wave, isHalted: (name: string) => boolean): boolean {
  return wave.progressing.canary > 0 || (wave.waiting.canary.size > 0 && !isHalted(name));
}

function first(keys: ReadonlySet<string>, count: number): string[] {
  const found: string[] = [];
  for (const key of keys) {
    if (found.length >= count) break;
    found.push(key);
  }
  return found;
}

function whyNot(
  guild: DkpGuild,
  { wave, channel }: Standing,
  { isOutage, isHalted }: Pick<Fleet, "isOutage" | "isHalted">,
  { failureBudget }: RolloutSettings,
): string {
  if (isOutage())
    return "Paused: half of all guilds or more are not ready, which no image is to blame for; goes on by itself";
  if (channel !== "own" && isHalted(wave)) {
    const budget =
      "count" in failureBudget
        ? `${failureBudget.count} guilds`
        : `${failureBudget.percent} % of the guilds tried, and two`;
    return `Halted: ${wave} failed on as many guilds as the failure budget allows (${budget}). Give the operator another image, or try this guild alone: kubectl annotate guild ${guild.metadata.name} ${retryAnnotation}=now`;
  }
  return "Waits for its turn among the guilds";
}
