import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { type Child, child } from "./child.ts";
import { childNames } from "./names.ts";
import { leases } from "./resources.ts";

/** The Lease for which the bot's pods stand. Its holder is theirs alone. */
export function lease(guild: DkpGuild): Child {
  const { lease: name } = childNames(guild.metadata.name);
  return child(guild, leases, { name, owned: true, upkeep: "once" }, {});
}
