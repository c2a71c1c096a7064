import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { type Child, child } from "./child.ts";
import type { ManagedDatabase } from "./database.ts";
import { developerRole, hasDeveloper } from "./developer.ts";
import { childNames } from "./names.ts";
import { databaseRoles, databases } from "./resources.ts";

/** Names of the objects that stand for a shared database and its roles. */
export function sharedNames(guild: DkpGuild) {
  const { name } = guild.metadata;
  return {
    database: `${name}-db`,
    owner: `${name}-db-owner`,
    runtime: `${name}-db-bot`,
    developer: `${name}-db-dev`,
  };
}

/**
 * A database and its roles in a Cluster that others use too. Labelled, not owned, and kept by CloudNativePG when the objects go: as with a
 * Cluster of its own, only spec.deletionPolicy decides over the data.
 */
export function sharedDatabase(
  guild: DkpGuild,
  database: ManagedDatabase,
  live: ReadonlyMap<string, KubeObject>,
): Child[] {
  const names = sharedNames(guild);
  const cluster = { name: database.cluster };
  const role = (name: string, roleName: string, access: object) => {
    const spec = { cluster, name: roleName, ...access, databaseRoleReclaimPolicy: reclaim(guild) };
    return child(guild, databaseRoles, { name, owned: false }, { spec });
  };
  // As in a Cluster of its own, a role that was given to developers stays, but may not log in.
  const developer = hasDeveloper(guild)
    ? login(childNames(guild.metadata.name).developer)
    : { login: false, disablePassword: true };
  const hadDeveloper = live.has(`DatabaseRole/${names.developer}`);
  return [
    role(names.owner, database.ownerRole, login(database.ownerSecret)),
    role(names.runtime, database.runtimeRole, login(database.runtimeSecret)),
    ...(hasDeveloper(guild) || hadDeveloper
      ? [role(names.developer, developerRole(guild, database), developer)]
      : []),
    child(
      guild,
      databases,
      { name: names.database, owned: false },
      {
        spec: {
          cluster,
          name: database.name,
          owner: database.ownerRole,
          databaseReclaimPolicy: reclaim(guild),
        },
      },
    ),
  ];
}

function login(secret: string) {
  return { login: true, passwordSecret: { name: secret } };
}

function reclaim({ spec }: DkpGuild): "delete" | "retain" {
  return spec.deletionPolicy === "Delete" ? "delete" : "retain";
}
