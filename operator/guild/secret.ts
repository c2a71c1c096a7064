import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { type Child, child } from "./child.ts";
import { childNames } from "./names.ts";
import { secrets } from "./resources.ts";

/** The role in PostgreSQL that the bot runs as. */
export const runtimeRole = "dkp_bot";

/**
 * Credentials of the bot's database role. Not owned: it stays with a database that is kept. CloudNativePG sets the role's password
 * from it, and follows it because of the reload label.
 */
export function runtimeSecret(guild: DkpGuild, password: string): Child {
  const { runtime } = childNames(guild.metadata.name);
  return child(
    guild,
    secrets,
    { name: runtime, owned: false, upkeep: "once", labels: { "cnpg.io/reload": "true" } },
    { type: "kubernetes.io/basic-auth", stringData: { username: runtimeRole, password } },
  );
}
