import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { type Child, child } from "./child.ts";
import type { Database } from "./database.ts";
import { developerRole, hasDeveloper } from "./developer.ts";
import { childNames } from "./names.ts";
import { secrets } from "./resources.ts";

type Account = { secret: string; username: string; more?: Record<string, string> };

/** The accounts whose passwords are ours to make: what CloudNativePG makes itself is not among them. */
export function accounts(guild: DkpGuild, database: Database): Account[] {
  if (database.mode === "external") return [];
  const { runtimeSecret, runtimeRole, ownerSecret, ownerRole, host, name } = database;
  const owner = database.mode === "shared" ? [{ secret: ownerSecret, username: ownerRole }] : [];
  const where = { host, port: "5432", dbname: name, sslmode: "verify-full" };
  const developer = hasDeveloper(guild)
    ? [
        {
          secret: childNames(guild.metadata.name).developer,
          username: developerRole(guild, database),
          more: where,
        },
      ]
    : [];
  return [{ secret: runtimeSecret, username: runtimeRole }, ...owner, ...developer];
}

/**
 * Credentials of roles in the database, each with a password of its own where it is yet to be made. Not owned: they stay with a database that
 * is kept. CloudNativePG sets the roles' passwords from them, and follows them because of the reload label.
 */
export function accountSecrets(guild: DkpGuild, database: Database, newPassword: () => string): Child[] {
  return accounts(guild, database).map(({ secret, username, more }) =>
    child(
      guild,
      secrets,
      { name: secret, owned: false, upkeep: "once", labels: { "cnpg.io/reload": "true" } },
      { type: "kubernetes.io/basic-auth", stringData: { username, password: newPassword(), ...more } },
    ),
  );
}
