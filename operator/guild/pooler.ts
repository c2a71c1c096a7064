import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { type Child, child } from "./child.ts";
import { type ManagedDatabase, poolerName } from "./database.ts";
import { placement } from "./placement.ts";
import { poolers } from "./resources.ts";

/** PgBouncer between bot and database, where spec asks for it. Session mode: the bot listens for notifications and prepares statements. */
export function pooler(guild: DkpGuild, { cluster }: ManagedDatabase): Child[] {
  const { pooler: wanted } = guild.spec.database;
  if (wanted === undefined) return [];
  const spec = {
    cluster: { name: cluster },
    instances: wanted.instances,
    type: "rw",
    pgbouncer: {
      poolMode: "session",
      parameters: {
        default_pool_size: String(wanted.poolSize),
        max_client_conn: "500",
        client_tls_sslmode: "require",
        // The bot asks for a statement_timeout as it connects; PgBouncer would refuse it for that. The bot ends slow queries itself too.
        ignore_startup_parameters: "extra_float_digits,options,statement_timeout",
      },
    },
    template: {
      metadata: { labels: { "dkp.dev/pooler": cluster } },
      spec: {
        ...placement(guild),
        containers: [
          {
            name: "pgbouncer",
            resources: { requests: { cpu: "50m", memory: "32Mi" }, limits: { memory: "128Mi" } },
          },
        ],
      },
    },
  };
  return [child(guild, poolers, { name: poolerName(cluster), owned: true }, { spec })];
}
