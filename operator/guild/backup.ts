import { createHash } from "node:crypto";
import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { KubeObject, Resource } from "../../runtime/kube/object.ts";
import { type Child, child, shortHash } from "./child.ts";
import { identityLabels } from "./names.ts";
import type { Observation } from "./observation.ts";
import { backups as backupKind, clusters, objectStores, scheduledBackups } from "./resources.ts";

export const pluginName = "barman-cloud.cloudnative-pg.io";

type BackupSpec = NonNullable<DkpGuild["spec"]["backup"]>;

/** What spec says about backups, where backups are wanted. */
export function wantedBackup({ spec }: DkpGuild): BackupSpec | undefined {
  return spec.backup?.enabled === true && spec.database.mode === "dedicated" ? spec.backup : undefined;
}

/** Name of the guild's ObjectStore: one for all Clusters that it has over time. */
export function objectStoreName(guild: DkpGuild): string {
  return `${guild.metadata.name}-backups`;
}

/** Name of the ScheduledBackup of a Cluster. */
export function scheduledBackupName(clusterName: string): string {
  return `${clusterName}-daily`;
}

/** Where a guild's backups go. */
export function destination(guild: DkpGuild, { objectStore: { bucket, path } }: BackupSpec): string {
  const { namespace, name } = guild.metadata;
  return `s3://${bucket}/${path === "" ? `${namespace}/${name}` : path}`;
}

/**
 * Where the Barman Cloud plugin puts backups and the log. Labelled, not owned, and kept when backups are switched off: without it nothing
 * that was taken could be restored.
 */
function objectStore(guild: DkpGuild, backup: BackupSpec): Child {
  const { endpoint, endpointCA, encryption, region, secretRef } = backup.objectStore;
  const packing = { compression: "gzip", ...(encryption === "none" ? {} : { encryption }) };
  return child(
    guild,
    objectStores,
    { name: objectStoreName(guild), owned: false },
    {
      spec: {
        configuration: {
          destinationPath: destination(guild, backup),
          ...(endpoint === undefined ? {} : { endpointURL: endpoint }),
          ...(endpointCA === undefined ? {} : { endpointCA: { name: endpointCA.name, key: endpointCA.key } }),
          s3Credentials: {
            accessKeyId: { name: secretRef.name, key: secretRef.accessKeyIdKey },
            secretAccessKey: { name: secretRef.name, key: secretRef.secretAccessKeyKey },
          },
          wal: packing,
          data: packing,
        },
        retentionPolicy: backup.retention,
        instanceSidecarConfiguration: {
          // The plugin takes a region from a Secret only; boto3, on which it stands, takes it from here too.
          ...(region === undefined ? {} : { env: [{ name: "AWS_DEFAULT_REGION", value: region }] }),
          // It idles at 44 MiB, and 128 are too little while a base backup is taken.
          resources: { requests: { cpu: "25m", memory: "256Mi" }, limits: { memory: "512Mi" } },
        },
      },
    },
  );
}

/** Takes a base backup of a Cluster now and then, the first at once. What it took stays with the Cluster when it is removed. */
function scheduledBackup(guild: DkpGuild, backup: BackupSpec, clusterName: string): Child {
  return child(
    guild,
    scheduledBackups,
    { name: scheduledBackupName(clusterName), owned: false },
    {
      spec: {
        schedule: backup.schedule ?? defaultSchedule(guild),
        cluster: { name: clusterName },
        immediate: true,
        suspend: guild.spec.hibernate,
        backupOwnerReference: "cluster",
        ...byPlugin,
      },
    },
  );
}

/** A Backup as CloudNativePG keeps it. */
export type BackupObject = {
  metadata: { creationTimestamp?: string };
  status?: { phase?: string; error?: string };
};

/** One base backup of a Cluster now. Like those that are scheduled it goes with its Cluster; what it took stays in the object store. */
export function backupNow(guild: DkpGuild, cluster: KubeObject, name: string): KubeObject {
  const { name: clusterName, uid = "" } = cluster.metadata;
  const { group, version, kind } = clusters;
  return {
    apiVersion: `${backupKind.group}/${backupKind.version}`,
    kind: backupKind.kind,
    metadata: {
      name,
      namespace: guild.metadata.namespace,
      labels: identityLabels(guild),
      ownerReferences: [{ apiVersion: `${group}/${version}`, kind, name: clusterName, uid }],
    },
    spec: { cluster: { name: clusterName }, ...byPlugin },
  };
}

/** By what every base backup is taken. */
const byPlugin = { method: "plugin", pluginConfiguration: { name: pluginName } };

/** Once a day between 02:00 and 05:59:59 UTC, at a time of the guild's own, so that not all back up at once. */
export function defaultSchedule({ metadata: { namespace, name } }: DkpGuild): string {
  const digest = createHash("sha256").update(`${namespace}/${name}`).digest();
  const second = digest.readUInt32BE() % (4 * 3_600);
  return `${second % 60} ${Math.floor(second / 60) % 60} ${2 + Math.floor(second / 3_600)} * * *`;
}

type PluginEntry = {
  name: string;
  isWALArchiver?: boolean;
  parameters?: { barmanObjectName?: string; serverName?: string };
};

function livePlugin(cluster: KubeObject | undefined): PluginEntry | undefined {
  const { plugins = [] } = (cluster?.["spec"] ?? {}) as { plugins?: PluginEntry[] };
  return plugins.find(({ name }) => name === pluginName);
}

/** Whether a live Cluster archives through the plugin. */
export function hasPlugin(cluster: KubeObject | undefined): boolean {
  return livePlugin(cluster) !== undefined;
}

/**
 * Under which name a Cluster's backups lie in the object store. PostgreSQL refuses to archive into a folder that another database has
 * filled, so a Cluster that is made anew under an old name has another; one that lives keeps what it has.
 */
export function serverName(guild: DkpGuild, clusterName: string, live: KubeObject | undefined): string {
  const known = livePlugin(live)?.parameters?.serverName;
  if (known?.startsWith(`${clusterName}-`) === true) return known;
  return serverNameFor(clusterName, guild.metadata.uid);
}

/** The name in the object store of a Cluster that was made for `uid`. */
export function serverNameFor(clusterName: string, uid: string): string {
  return `${clusterName}-${shortHash(uid).slice(0, 8)}`;
}

/** The entry of `Cluster.spec.plugins` by which a Cluster archives. */
export function archiver(guild: DkpGuild, server: string) {
  return {
    name: pluginName,
    isWALArchiver: true,
    parameters: { barmanObjectName: objectStoreName(guild), serverName: server },
  };
}

function canBegin({ backup }: Observation): boolean {
  return backup?.plugin === "installed" && backup.secrets.every(({ state }) => state === "present");
}

/**
 * Whether a Cluster ought to archive. It begins once plugin and Secrets are there, because without them CloudNativePG would not let the
 * database work; it never ends because of them, since each change restarts PostgreSQL.
 */
export function archives(guild: DkpGuild, observation: Observation, live: KubeObject | undefined): boolean {
  return wantedBackup(guild) !== undefined && (hasPlugin(live) || canBegin(observation));
}

/** The guild's backup objects: the store first; base backups of the serving Cluster once that archives and is ready. */
export function backups(
  guild: DkpGuild,
  observation: Observation,
  { cluster, databaseReady }: { cluster: KubeObject | undefined; databaseReady: boolean },
): Child[] {
  const wanted = wantedBackup(guild);
  if (wanted === undefined || observation.backup?.plugin !== "installed") return [];
  const store = objectStore(guild, wanted);
  if (cluster === undefined || !hasPlugin(cluster)) return [store];
  const { name } = cluster.metadata;
  const begun = observation.children.has(`ScheduledBackup/${scheduledBackupName(name)}`);
  return begun || databaseReady ? [store, scheduledBackup(guild, wanted, name)] : [store];
}

/** ScheduledBackups whose time is over: all when backups are switched off, those of Clusters that served before. */
export function obsoleteSchedules(
  guild: DkpGuild,
  { children }: Observation,
  serving: KubeObject | undefined,
): { resource: Resource; object: KubeObject }[] {
  const kept =
    wantedBackup(guild) === undefined || serving === undefined
      ? undefined
      : scheduledBackupName(serving.metadata.name);
  return [...children.values()]
    .filter(({ kind, metadata }) => kind === "ScheduledBackup" && metadata.deletionTimestamp === undefined)
    .filter(({ metadata }) => metadata.name !== kept)
    .map((object) => ({ resource: scheduledBackups, object }));
}

/** How old each guild's last base backup is in seconds, for the metric dkp_guild_backup_age_seconds; guilds without one are left out. */
export function backupAges(
  guilds: Iterable<DkpGuild>,
  nowMs: number,
): { namespace: string; guild: string; value: number }[] {
  return [...guilds].flatMap(({ metadata, status }) => {
    const last = status?.backup?.lastSuccess;
    if (last === undefined) return [];
    const value = Math.max(0, (nowMs - Date.parse(last)) / 1_000);
    return [{ namespace: metadata.namespace, guild: metadata.name, value }];
  });
}
