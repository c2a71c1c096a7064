import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { type Child, child, shortHash } from "./child.ts";
import { childNames, migrationSelector } from "./names.ts";
import {
  commonEnvironment,
  containerSecurityContext,
  databaseEnvironment,
  databaseVolumes,
  environment,
  podSecurityContext,
} from "./pod.ts";
import { jobs } from "./resources.ts";
import { runtimeRole } from "./secret.ts";
import type { GuildSettings } from "./settings.ts";

/** Name of the Job that brings this database to the schema of this image: another one for another image or another database. */
export function migrationJobName(guild: DkpGuild, image: string, clusterUid: string): string {
  return `${guild.metadata.name}-migrate-${shortHash([image, clusterUid]).slice(0, 8)}`;
}

/** Migrates as the database's owner, whose credentials no bot ever sees, and grants to the bot's role. */
export function migrationJob(
  guild: DkpGuild,
  settings: GuildSettings,
  image: string,
  clusterUid: string,
): Child {
  const names = childNames(guild.metadata.name);
  const volumes = databaseVolumes(guild, names.ownerSecret);
  const labels = migrationSelector(guild.metadata.name);
  const facts = {
    name: migrationJobName(guild, image, clusterUid),
    owned: true,
    upkeep: "once" as const,
    labels,
    annotations: { "dkp.dev/image": image },
  };
  return child(guild, jobs, facts, {
    spec: {
      backoffLimit: 2,
      template: {
        metadata: { labels },
        spec: {
          restartPolicy: "Never",
          serviceAccountName: names.bot,
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          securityContext: podSecurityContext,
          containers: [
            {
              name: "migrate",
              image,
              args: ["db", "migrate"],
              env: environment({
                ...commonEnvironment(guild, settings),
                ...databaseEnvironment(guild),
                DISCORD_GUILD_ID: guild.spec.guildId,
                DATABASE_RUNTIME_ROLE: runtimeRole,
              }),
              resources: { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "256Mi" } },
              securityContext: containerSecurityContext,
              volumeMounts: volumes.map(({ mount }) => mount),
            },
          ],
          volumes: volumes.map(({ volume }) => volume),
        },
      },
    },
  });
}
