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

/** Connections in the pool of a bot pod, unless something is said about it. */
const poolOfBot = 20;

/** Connections of a pod besides its pool: one each for listening, for taking turns at identifying, and for trying new credentials. */
const besidesPool = 3;

/** What CloudNativePG, backups, the migration, developers and a person at psql need besides. */
const reserve = 30;

/** What spec.bot.env says about the size of a pod's pool. */
function ownPool({ spec }: DkpGuild): number | undefined {
  const size = Number(spec.bot.env.find(({ name }) => name === "DATABASE_POOL_MAX")?.value);
  return Number.isInteger(size) && size > 0 ? size : undefined;
}

/**
 * How large each pod's pool may be behind a Pooler, so that no pod waits for connections that another holds: an equal share, with one more pod
 * than there are, since there is one during a rollout. Undefined where the bot's own size will do. The schema sees to it that five are left.
 */
export function pooledShare(guild: DkpGuild): number | undefined {
  const { bot, database } = guild.spec;
  if (database.pooler === undefined || ownPool(guild) !== undefined) return undefined;
  const share = Math.floor((database.pooler.instances * database.pooler.poolSize) / (bot.replicas + 1));
  return Math.min(poolOfBot, share - besidesPool);
}

/**
 * Connections that PostgreSQL must allow: every pod's, those of one more pod during a rollout, and a reserve; through a Pooler only the
 * Pooler's own. In hundreds from two hundred on, so that scaling up to six pods does not restart it; ten need one restart.
 */
function maxConnections(guild: DkpGuild): number {
  const { bot, database } = guild.spec;
  const direct = (bot.replicas + 1) * ((ownPool(guild) ?? poolOfBot) + besidesPool);
  const pooled = (database.pooler?.instances ?? 0) * (database.pooler?.poolSize ?? 0);
  return Math.max(2, Math.ceil(((database.pooler === undefined ? direct : pooled) + reserve) / 100)) * 100;
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
