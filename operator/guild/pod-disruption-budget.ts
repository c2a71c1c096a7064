import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { type Child, child } from "./child.ts";
import { botSelector, childNames } from "./names.ts";
import { podDisruptionBudgets } from "./resources.ts";

/** One pod at a time: with a single replica it lets nodes drain, and a pod that is broken anyway never blocks them. */
export function podDisruptionBudget(guild: DkpGuild): Child {
  const { bot } = childNames(guild.metadata.name);
  return child(
    guild,
    podDisruptionBudgets,
    { name: bot, owned: true },
    {
      spec: {
        maxUnavailable: 1,
        unhealthyPodEvictionPolicy: "AlwaysAllow",
        selector: { matchLabels: botSelector(guild.metadata.name) },
      },
    },
  );
}
