import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { belongsTo } from "./child.ts";
import { reportOf } from "./progress.ts";

/** Which pod serves a guild's jobs, and how the guild is: one entry of /guild-assignments. */
export type Assignment = {
  guildId: string;
  namespace: string;
  name: string;
  /** The pod that leads; null while none does. */
  pod: string | null;
  /** Since when that pod leads. */
  since: string | null;
  phase: string;
  ready: boolean;
  health: {
    /** Whether the bot is connected to Discord, and in what state it said to be. */
    connected: boolean;
    discord: string;
    database: string;
    commands: string;
    replicas: number;
    readyReplicas: number;
    /** Why the guild is not ready, in a sentence; empty when it is. */
    message: string;
  };
};

/** The assignment of a guild, from its status and the ConfigMap that its bot reports to. Where the two differ the report is newer. */
export function assignment(guild: DkpGuild, reported: KubeObject | undefined): Assignment {
  const { metadata, spec, status } = guild;
  const report = reported !== undefined && belongsTo(guild, reported) ? reportOf(reported) : undefined;
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  const isReady = ready?.status === "True";
  return {
    guildId: spec.guildId,
    namespace: metadata.namespace,
    name: metadata.name,
    pod: report?.leader ?? status?.leader?.pod ?? null,
    since: report?.since ?? status?.leader?.since ?? null,
    phase: status?.phase ?? "Pending",
    ready: isReady,
    health: {
      connected: report?.discord.state === "Connected",
      discord: report?.discord.state ?? "Unknown",
      database: report?.database.state ?? "Unknown",
      commands: report?.commands.state ?? "Unknown",
      replicas: status?.replicas ?? 0,
      readyReplicas: status?.readyReplicas ?? 0,
      message: isReady ? "" : (ready?.message ?? ""),
    },
  };
}
