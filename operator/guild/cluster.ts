import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { type Child, child } from "./child.ts";
import { childNames } from "./names.ts";
import { clusters } from "./resources.ts";
import { runtimeRole } from "./secret.ts";
import type { GuildSettings } from "./settings.ts";

export const databaseName = "dkp";

/**
 * The guild's PostgreSQL, run by CloudNativePG. Labelled, not owned: CloudNativePG deletes the volumes together with the Cluster, so
 * the garbage collector must never be the one to delete it.
 */
export function cluster(guild: DkpGuild, settings: GuildSettings, { plugins }: { plugins: object[] }): Child {
  const names = childNames(guild.metadata.name);
  const { instances, storage, image } = guild.spec.database;
  return child(
    guild,
    clusters,
    { name: names.cluster, owned: false },
    {
      spec: {
        instances,
        imageName: image ?? settings.postgresImage,
        // The budget of a single instance would only keep nodes from draining.
        enablePDB: instances > 1,
        storage: {
          size: storage.size,
          ...(storage.storageClass === undefined ? {} : { storageClass: storage.storageClass }),
        },
        bootstrap: { initdb: { database: databaseName, owner: databaseName } },
        managed: {
          roles: [
            { name: runtimeRole, ensure: "present", login: true, passwordSecret: { name: names.runtime } },
          ],
        },
        // Ten replicas and one more during a rollout, with pools of twenty, leave room for CloudNativePG itself.
        postgresql: { parameters: { max_connections: "300" } },
        ...(plugins.length === 0 ? {} : { plugins }),
        resources: { requests: { cpu: "100m", memory: "256Mi" } },
      },
    },
  );
}
