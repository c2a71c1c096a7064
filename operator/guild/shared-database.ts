import type { DkpGuild } from "../../crds/dkp-guild.ts";
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
export function sharedDatabase(guild: DkpGuild, database: ManagedDatabase): Child[] {
  const names = sharedNames(guild);
  const cluster = { name: database.cluster };
  const role = (name: string, roleName: string, secret: string) =>
    child(
      guild,
      databaseRoles,
      { name, owned: false },
      {
        spec: {
          cluster,
          name: roleName,
          login: true,
          passwordSecret: { name: secret },
          databaseRoleReclaimPolicy: reclaim(guild),
        },
      },
    );
  return [
    role(names.owner, database.ownerRole, database.ownerSecret),
    role(names.runtime, database.runtimeRole, database.runtimeSecret),
    ...(hasDeveloper(guild)
      ? [role(names.developer, developerRole(guild, database), childNames(guild.metadata.name).developer)]
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

function reclaim({ spec }: DkpGuild): "delete" | "retain" {
  return spec.deletionPolicy === "Delete" ? "delete" : "retain";
}
