import type { DkpGuild } from "../../crds/dkp-guild.ts";

/** Where pods may run, as spec.placement says: nothing where it says nothing. */
export function placement(guild: DkpGuild): {
  nodeSelector?: Record<string, string>;
  tolerations?: object[];
} {
  const { region, nodeSelector, tolerations = [] } = guild.spec.placement ?? {};
  const nodes = {
    ...(region === undefined ? {} : { "topology.kubernetes.io/region": region }),
    ...nodeSelector,
  };
  return {
    ...(Object.keys(nodes).length === 0 ? {} : { nodeSelector: nodes }),
    ...(tolerations.length === 0 ? {} : { tolerations }),
  };
}
