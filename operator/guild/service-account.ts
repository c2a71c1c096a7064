import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { type Child, child } from "./child.ts";
import { childNames } from "./names.ts";
import { serviceAccounts } from "./resources.ts";

/** The bot's identity. The token is mounted by the bot's pods alone, so it is off here. */
export function serviceAccount(guild: DkpGuild): Child {
  const { bot } = childNames(guild.metadata.name);
  return child(guild, serviceAccounts, { name: bot, owned: true }, { automountServiceAccountToken: false });
}
