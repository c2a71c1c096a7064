import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { type Child, child } from "./child.ts";
import type { Database, ManagedDatabase } from "./database.ts";
import { developerRole, hasDeveloper } from "./developer.ts";
import { childNames } from "./names.ts";
import { secrets } from "./resources.ts";

type Account = { secret: string; username: string };

/** On the developers' Secret: the Cluster that it leads to. */
const clusterLabel = "dkp.dev/cluster";

/** The accounts whose passwords are ours to make: what CloudNativePG makes itself is not among them. */
export function accounts(guild: DkpGuild, database: Database): Account[] {
  if (database.mode === "external") return [];
  const { runtimeSecret, runtimeRole, ownerSecret, ownerRole } = database;
  return [
    { secret: runtimeSecret, username: runtimeRole },
    ...(database.mode === "shared" ? [{ secret: ownerSecret, username: ownerRole }] : []),
    ...(hasDeveloper(guild)
      ? [{ secret: developerSecret(guild), username: developerRole(guild, database) }]
      : []),
  ];
}

function developerSecret(guild: DkpGuild): string {
  return childNames(guild.metadata.name).developer;
}

/**
 * Credentials of roles in the database, each with a password of its own where it is yet to be made. Not owned: they stay with a database that
 * is kept. CloudNativePG sets the roles' passwords from them, and follows them because of the reload label.
 */
export function accountSecrets(guild: DkpGuild, database: Database, newPassword: () => string): Child[] {
  if (database.mode === "external") return [];
  return accounts(guild, database).map(({ secret, username }) => {
    const password = newPassword();
    const forPeople = secret === developerSecret(guild);
    const labels = {
      "cnpg.io/reload": "true",
      ...(forPeople ? { [clusterLabel]: database.cluster } : {}),
    };
    const more = forPeople ? whereabouts(database, username, password) : {};
    return child(
      guild,
      secrets,
      { name: secret, owned: false, upkeep: "once", labels },
      { type: "kubernetes.io/basic-auth", stringData: { username, password, ...more } },
    );
  });
}

/** What a person needs besides a name and a password. Our passwords have no character that a URL would have to escape. */
function whereabouts({ host, name }: ManagedDatabase, username: string, password: string) {
  return {
    host,
    port: "5432",
    dbname: name,
    uri: `postgresql://${username}:${password}@${host}:5432/${name}?sslmode=verify-full`,
  };
}

/** Whether an object is the developers' Secret and leads to a Cluster that serves no more. It is made anew, with another password. */
export function isOutdatedAccount(
  guild: DkpGuild,
  { cluster }: ManagedDatabase,
  kind: string,
  { name, labels }: KubeObject["metadata"],
): boolean {
  return kind === "Secret" && name === developerSecret(guild) && labels?.[clusterLabel] !== cluster;
}
