import type { KubeObject } from "../../runtime/kube/object.ts";
import { backupNow } from "../guild/backup.ts";
import { backups, clusters } from "../guild/resources.ts";
import { type Call, type Command, Failure } from "./command.ts";
import { follow, waitDetails, waitOptions } from "./follow.ts";
import { namedGuild } from "./read.ts";

type BackupObject = KubeObject & { status?: { phase?: string; error?: string; stoppedAt?: string } };

function judge({ status }: BackupObject): { state: string; over?: number } {
  const { phase = "waiting for CloudNativePG", error = "" } = status ?? {};
  if (phase === "completed") return { state: "completed", over: 0 };
  if (phase === "failed") return { state: `failed: ${error}`, over: 1 };
  return { state: phase };
}

/** A name that says when, at most 63 characters long. */
export function stamped(name: string, nowMs: number): string {
  return `${name}-${new Date(nowMs).toISOString().slice(2, 19).replaceAll(/\D/g, "")}`;
}

async function begin(call: Call): Promise<number> {
  const { client, terminal, clock } = call;
  const guild = await namedGuild(call);
  const { namespace, name } = guild.metadata;
  const cluster = guild.status?.database?.cluster;
  if (guild.spec.backup?.enabled !== true)
    throw new Failure(`DkpGuild ${name} has nowhere to put a backup: set spec.backup first.`);
  if (cluster === undefined)
    throw new Failure(`DkpGuild ${name} has no database yet; see kubectl dkp why ${name}.`);
  const live = await client.get(clusters, { namespace, name: cluster });
  if (live === undefined)
    throw new Failure(`Cluster ${cluster} of DkpGuild ${name} is gone; see kubectl dkp why ${name}.`);
  const made = await client.create(backups, backupNow(guild, live, stamped(cluster, clock())));
  terminal.say(`backup/${made.metadata.name} begun`);
  if (call.flags["wait"] !== true) return 0;
  return follow(call, backups, { namespace, name: made.metadata.name }, judge);
}

export const backup: Command = {
  summary: "take a base backup of a guild's database now",
  synopsis: "GUILD",
  positionals: [1, 1],
  details: `Makes a Backup of CloudNativePG, beside those that spec.backup.schedule makes.\n\n${waitDetails}\nExit code: 1 when the backup fails.`,
  options: waitOptions,
  run: begin,
};
