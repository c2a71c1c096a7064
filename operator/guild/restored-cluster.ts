import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { DkpRestore } from "../../crds/dkp-restore.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { archiver, objectStoreName, pluginName, serverName, serverNameFor } from "./backup.ts";
import { type Child, child } from "./child.ts";
import { clusterSpec } from "./cluster.ts";
import { dedicatedDatabase, incarnationLabel, incarnationOf } from "./database.ts";
import { birthMark, clustersOf } from "./incarnation.ts";
import { childNames } from "./names.ts";
import { databaseNetworkPolicy } from "./network-policy.ts";
import type { Observation } from "./observation.ts";
import { clusters } from "./resources.ts";
import type { GuildSettings } from "./settings.ts";

/** PostgreSQL takes any offset, CloudNativePG is happiest with none. */
function inUtc(time: string): string {
  return time.endsWith("Z") ? time : new Date(time).toISOString();
}

/** The new Cluster that a restore recovers into, and the NetworkPolicy around it. It archives under a name that nobody had before. */
export function restoredCluster(
  guild: DkpGuild,
  settings: GuildSettings,
  restore: DkpRestore,
  from: KubeObject,
  children: Observation["children"],
): Child[] {
  const { targetTime } = restore.spec;
  const number = Math.max(...clustersOf(children).map(incarnationOf)) + 1;
  const name = `${childNames(guild.metadata.name).cluster}-${number}`;
  const database = dedicatedDatabase(guild, name);
  const origin = {
    bootstrap: {
      recovery: {
        source: "origin",
        database: database.name,
        owner: database.ownerRole,
        ...(targetTime === undefined ? {} : { recoveryTarget: { targetTime: inUtc(targetTime) } }),
      },
    },
    externalClusters: [
      {
        name: "origin",
        plugin: {
          name: pluginName,
          parameters: {
            barmanObjectName: objectStoreName(guild),
            serverName: serverName(guild, from.metadata.name, from),
          },
        },
      },
    ],
  };
  const plugins = [archiver(guild, serverNameFor(name, restore.metadata.uid))];
  const facts = {
    name,
    owned: false,
    labels: { [incarnationLabel]: String(number) },
    annotations: birthMark(restore, from.metadata.name),
  };
  const spec = { ...clusterSpec(guild, settings, database, origin), plugins };
  return [databaseNetworkPolicy(guild, settings, database), child(guild, clusters, facts, { spec })];
}
