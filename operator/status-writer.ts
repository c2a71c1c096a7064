import type { DkpGuild } from "../crds/dkp-guild.ts";
import type { DkpGuildStatus } from "../crds/status.ts";
import type { KubeClient } from "../runtime/kube/client.ts";
import { isKubeError } from "../runtime/kube/error.ts";
import type { EventRecorder } from "../runtime/kube/event.ts";
import { type KubeObject, apiVersionOf, objectKey } from "../runtime/kube/object.ts";
import type { Logger } from "../runtime/log.ts";
import type { LeaderCounts } from "./guild-metrics.ts";
import { mayWait, passing, sameJson } from "./guild/haste.ts";
import { guilds } from "./guild/resources.ts";
import { transitions } from "./guild/transitions.ts";
import type { World } from "./world.ts";

/**
 * Writes what has become of a guild, with the Events that tell of it. Nothing is sent for a status that is the same. Progress that has only
 * just been made waits for a moment: under way through several phases at once, a guild writes the last of them alone.
 */
export type StatusWriter = {
  /** Answers in how many milliseconds the guild has to be looked at again for what was left unwritten. */
  write(guild: DkpGuild, after: DkpGuildStatus): Promise<number | undefined>;
  /** Nothing more will be written about it. */
  forget(key: string): void;
};

export function statusWriter(options: {
  client: KubeClient;
  world: World;
  events: EventRecorder;
  /** Has another guild looked at. */
  wake(key: string): void;
  /** How long progress waits, in milliseconds, asked for anew each time. */
  settleMs(): number;
  leaderCounts?: LeaderCounts | undefined;
  log: Logger;
}): StatusWriter {
  const { client, world, events, settleMs, log } = options;
  const unwritten = new Map<string, { phase: string | undefined; sinceMs: number }>();

  const leftMs = (key: string, { phase }: DkpGuildStatus): number => {
    const nowMs = performance.now();
    const waiting = unwritten.get(key);
    if (waiting?.phase === phase && waiting !== undefined) return waiting.sinceMs + settleMs() - nowMs;
    unwritten.set(key, { phase, sinceMs: nowMs });
    return settleMs();
  };
  const tell = (guild: DkpGuild, after: DkpGuildStatus) => {
    for (const facts of transitions(guild.status, after)) events.record(guildObject(guild), facts);
    if (guild.status?.phase === after.phase) return;
    // A thousand guilds on their way would say little else; status and Events tell of each step.
    const level = passing.has(after.phase) ? "debug" : "info";
    log[level]({ guild: objectKey(guild.metadata), phase: after.phase }, "a guild changed its phase");
  };
  const wakeSharers = (guild: DkpGuild, after: DkpGuildStatus) => {
    // Our own writes wake nobody, but whoever has the same token may have to stop now, or may go on.
    if (guild.status?.tokenHash === after.tokenHash) return;
    for (const hash of [guild.status?.tokenHash, after.tokenHash])
      for (const sharer of hash === undefined ? [] : world.guildsWithToken(hash))
        if (sharer.metadata.uid !== guild.metadata.uid) options.wake(objectKey(sharer.metadata));
  };
  return {
    async write(guild, after) {
      const key = objectKey(guild.metadata);
      if (sameJson(guild.status, after)) return void unwritten.delete(key);
      if (mayWait(guild.status, after)) {
        const waitMs = leftMs(key, after);
        if (waitMs > 0) return waitMs;
      }
      unwritten.delete(key);
      const live = await applyStatus(client, guild, after);
      if (live === undefined) return undefined;
      world.remember(guilds, live);
      options.leaderCounts?.(guild.status, after);
      wakeSharers(guild, after);
      tell(guild, after);
      return undefined;
    },
    forget: (key) => void unwritten.delete(key),
  };
}

/** Undefined: the guild has gone meanwhile. */
async function applyStatus(
  client: KubeClient,
  { metadata: { name, namespace } }: DkpGuild,
  status: DkpGuildStatus,
): Promise<KubeObject | undefined> {
  const named = { apiVersion: apiVersionOf(guilds), kind: guilds.kind, metadata: { name, namespace } };
  try {
    return await client.applyStatus(guilds, { ...named, status });
  } catch (error) {
    if (isKubeError(error, 404)) return undefined;
    throw error;
  }
}

/** A guild as an Event refers to it. */
export function guildObject({ metadata }: DkpGuild): KubeObject {
  return { apiVersion: apiVersionOf(guilds), kind: guilds.kind, metadata };
}
