import type { DkpGuild } from "../crds/dkp-guild.ts";
import type { KubeClient } from "../runtime/kube/client.ts";
import { isKubeError } from "../runtime/kube/error.ts";
import type { KubeObject } from "../runtime/kube/object.ts";
import { type BackupObject, backupNow } from "./guild/backup.ts";
import { backups } from "./guild/resources.ts";

/** The Backup of this name as it is now; begun, if there is none yet. */
export async function takeBackup(
  client: KubeClient,
  guild: DkpGuild,
  cluster: KubeObject,
  name: string,
): Promise<KubeObject & BackupObject> {
  const object = backupNow(guild, cluster, name);
  const look = () => client.get<KubeObject & BackupObject>(backups, object.metadata);
  const live = await look();
  if (live !== undefined) return live;
  try {
    return await client.create<KubeObject & BackupObject>(backups, object);
  } catch (error) {
    const made = isKubeError(error, 409) ? await look() : undefined;
    if (made === undefined) throw error;
    return made;
  }
}
