import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { type Child, child, shortHash } from "./child.ts";
import type { Database } from "./database.ts";
import { developerAnnotation, developerEnvironment, hasDeveloper } from "./developer.ts";
import { childNames, migrationSelector } from "./names.ts";
import {
  commonEnvironment,
  containerSecurityContext,
  databaseEnvironment,
  databaseVolumes,
  environment,
  podSecurityContext,
} from "./pod.ts";
import { placement } from "./placement.ts";
import { jobs } from "./resources.ts";
import type { GuildSettings } from "./settings.ts";

/**
 * Name of the Job that brings this database to the schema of this image: another one for another image, another database (by its identity)
 * or other rights of developers.
 */
export function migrationJobName(
  guild: DkpGuild,
  image: string,
  identity: string,
  developer: Record<string, string | undefined>,
): string {
  const facts = [image, identity, ...Object.values(developer)];
  return `${guild.metadata.name}-migrate-${shortHash(facts).slice(0, 8)}`;
}

/** Migrates as the database's owner, whose credentials no bot ever sees, and grants to the bot's role. */
export function migrationJob(
  guild: DkpGuild,
  settings: GuildSettings,
  image: string,
  database: Database,
  identity: string,
): Child {
  const names = childNames(guild.metadata.name);
  const volumes = databaseVolumes(database, "owner");
  const developer = database.mode === "external" ? {} : developerEnvironment(guild, database);
  const labels = migrationSelector(guild.metadata.name);
  const facts = {
    name: migrationJobName(guild, image, identity, developer),
    owned: true,
    upkeep: "once" as const,
    labels,
    annotations: {
      "dkp.dev/image": image,
      ...(hasDeveloper(guild) ? { [developerAnnotation]: names.developer } : {}),
    },
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
          ...placement(guild),
          containers: [
            {
              name: "migrate",
              image,
              args: ["db", "migrate"],
              env: environment({
                ...commonEnvironment(guild, settings),
                ...(database.mode === "external"
                  ? databaseEnvironment(database, "")
                  : {
                      ...databaseEnvironment(database, database.host),
                      DATABASE_RUNTIME_ROLE: database.runtimeRole,
                      ...developer,
                    }),
                DISCORD_GUILD_ID: guild.spec.guildId,
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
