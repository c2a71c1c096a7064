import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { type Child, child } from "./child.ts";
import type { Database } from "./database.ts";
import { botSelector, childNames } from "./names.ts";
import { podMonitors } from "./resources.ts";

function monitor(guild: DkpGuild, name: string, port: string, matchLabels: Record<string, string>): Child {
  return child(
    guild,
    podMonitors,
    { name, owned: true },
    {
      spec: {
        selector: { matchLabels },
        podMetricsEndpoints: [{ port, path: "/metrics" }],
      },
    },
  );
}

/** What the Prometheus operator has to scrape: the guild's bots and, where the guild has instances of its own, those. */
export function podMonitorsOf(guild: DkpGuild, database: Database): Child[] {
  const { name } = guild.metadata;
  const { bot, cluster } = childNames(name);
  const bots = monitor(guild, bot, "http", botSelector(name));
  if (database.mode !== "dedicated") return [bots];
  const instances = { "cnpg.io/cluster": database.cluster, "cnpg.io/podRole": "instance" };
  return [bots, monitor(guild, cluster, "metrics", instances)];
}
