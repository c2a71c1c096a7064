import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { ManagedDatabase } from "./database.ts";

/** On a migration Job: the Secret of the developers' account that it granted rights to. */
export const developerAnnotation = "dkp.dev/developer-secret";

/** Whether an account for developers is asked for. */
export function hasDeveloper(guild: DkpGuild): boolean {
  return guild.spec.database.devAccess !== "none";
}

/** The role that developers log in as; in a shared Cluster each guild has its own. */
export function developerRole(guild: DkpGuild, { mode }: ManagedDatabase): string {
  return mode === "shared" ? `dkp_${guild.spec.guildId}_dev` : "dkp_developer";
}

/** What the migration is told, so that it grants and revokes. */
export function developerEnvironment(
  guild: DkpGuild,
  database: ManagedDatabase,
): Record<string, string | undefined> {
  return hasDeveloper(guild)
    ? {
        DATABASE_DEVELOPER_ROLE: developerRole(guild, database),
        DATABASE_DEVELOPER_ACCESS: guild.spec.database.devAccess,
      }
    : {};
}
