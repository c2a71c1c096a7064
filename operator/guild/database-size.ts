import type { DkpGuild } from "../../crds/dkp-guild.ts";

type Tier = {
  requests: { cpu: string; memory: string };
  limits: { memory: string };
  parameters: Record<string, string>;
};

/**
 * What each size of an instance is given, and the settings that fit it: a quarter of the memory for shared buffers, three quarters taken for
 * the cache. Source: PostgreSQL 16 documentation, "Resource Consumption".
 */
const tiers: Record<DkpGuild["spec"]["database"]["size"], Tier> = {
  small: {
    requests: { cpu: "100m", memory: "256Mi" },
    limits: { memory: "512Mi" },
    parameters: { shared_buffers: "64MB", effective_cache_size: "192MB", work_mem: "4MB" },
  },
  standard: {
    requests: { cpu: "1", memory: "2Gi" },
    limits: { memory: "2Gi" },
    parameters: { shared_buffers: "512MB", effective_cache_size: "1536MB", work_mem: "8MB" },
  },
  large: {
    requests: { cpu: "2", memory: "4Gi" },
    limits: { memory: "4Gi" },
    parameters: { shared_buffers: "1GB", effective_cache_size: "3GB", work_mem: "16MB" },
  },
};

/** Connections that one bot pod may open at most: twenty in its pool, and one each for listening, leading and migrating. */
const connectionsOfPod = 23;

/** What CloudNativePG, backups, developers and a person at psql need besides. */
const reserve = 25;

/**
 * Connections that PostgreSQL must allow: every pod's, those of one more pod during a rollout, and a reserve. Through a Pooler only the
 * Pooler's own. At least 100, PostgreSQL's own default, so that small changes of replicas restart nothing.
 */
function maxConnections(guild: DkpGuild): number {
  const { bot, database } = guild.spec;
  const pods = (bot.replicas + 1) * connectionsOfPod;
  const pooled = database.pooler === undefined ? 0 : database.pooler.instances * database.pooler.poolSize;
  const wanted = (database.pooler === undefined ? pods : pooled + connectionsOfPod) + reserve;
  return Math.max(100, Math.ceil(wanted / 100) * 100);
}

/** CPU and memory of each instance: those of its size, and what spec sets instead. */
export function instanceResources(guild: DkpGuild) {
  const { size, resources } = guild.spec.database;
  const { requests, limits } = tiers[size];
  return { requests: { ...requests, ...resources?.requests }, limits: { ...limits, ...resources?.limits } };
}

/** Settings of PostgreSQL: those of its size, and what spec sets instead. */
export function postgresParameters(guild: DkpGuild): Record<string, string> {
  const { size, parameters } = guild.spec.database;
  return {
    ...tiers[size].parameters,
    // What a crash of the whole node and its volume may cost is what has not been archived.
    archive_timeout: "5min",
    ...parameters,
    max_connections: String(maxConnections(guild)),
  };
}
