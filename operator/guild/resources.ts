import type { Resource } from "../../runtime/kube/object.ts";

function namespaced(group: string, version: string, kind: string, plural: string): Resource {
  return { group, version, kind, plural, namespaced: true };
}

export const guilds = namespaced("dkp.dev", "v1alpha1", "DkpGuild", "dkpguilds");
export const serviceAccounts = namespaced("", "v1", "ServiceAccount", "serviceaccounts");
export const configMaps = namespaced("", "v1", "ConfigMap", "configmaps");
export const secrets = namespaced("", "v1", "Secret", "secrets");
export const services = namespaced("", "v1", "Service", "services");
export const pods = namespaced("", "v1", "Pod", "pods");
export const roles = namespaced("rbac.authorization.k8s.io", "v1", "Role", "roles");
export const roleBindings = namespaced("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings");
export const leases = namespaced("coordination.k8s.io", "v1", "Lease", "leases");
export const deployments = namespaced("apps", "v1", "Deployment", "deployments");
export const jobs = namespaced("batch", "v1", "Job", "jobs");
export const podDisruptionBudgets = namespaced("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets");
export const networkPolicies = namespaced("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies");
export const clusters = namespaced("postgresql.cnpg.io", "v1", "Cluster", "clusters");
export const backups = namespaced("postgresql.cnpg.io", "v1", "Backup", "backups");
export const scheduledBackups = namespaced("postgresql.cnpg.io", "v1", "ScheduledBackup", "scheduledbackups");
export const restores = namespaced("dkp.dev", "v1alpha1", "DkpRestore", "dkprestores");
export const objectStores = namespaced("barmancloud.cnpg.io", "v1", "ObjectStore", "objectstores");
export const databases = namespaced("postgresql.cnpg.io", "v1", "Database", "databases");
export const databaseRoles = namespaced("postgresql.cnpg.io", "v1", "DatabaseRole", "databaseroles");
export const poolers = namespaced("postgresql.cnpg.io", "v1", "Pooler", "poolers");
export const podMonitors = namespaced("monitoring.coreos.com", "v1", "PodMonitor", "podmonitors");
export const namespaces: Resource = { ...namespaced("", "v1", "Namespace", "namespaces"), namespaced: false };
