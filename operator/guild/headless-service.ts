import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { type Child, child } from "./child.ts";
import { botSelector, childNames } from "./names.ts";
import { services } from "./resources.ts";

export const httpPort = 8080;

/** A headless Service: health and metrics of each pod under a name. Pods not ready are listed too, since that is when one looks. */
export function service(guild: DkpGuild): Child {
  const { service: name } = childNames(guild.metadata.name);
  return child(
    guild,
    services,
    { name, owned: true },
    {
      spec: {
        type: "ClusterIP",
        clusterIP: "None",
        publishNotReadyAddresses: true,
        selector: botSelector(guild.metadata.name),
        ports: [{ name: "http", port: httpPort, protocol: "TCP", targetPort: "http" }],
      },
    },
  );
}
