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
  discordEnvironment,
  discordVolumes,
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

const resources = { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "256Mi" } };

type Step = "migrate" | "setup";

/** A setup that failed ends the Job at once, and so tells itself from a migration that did; a pod that was drained counts for neither. */
const podFailurePolicy = {
  rules: [
    { action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
    {
      action: "FailJob",
      onExitCodes: { containerName: "setup" satisfies Step, operator: "NotIn", values: [0] },
    },
  ],
};

/** Which step of a Job failed, by the reason of its condition `Failed`, and a sentence that says where to look. */
export function jobFailure(name: string, image: string, reason: string | undefined) {
  const step: Step = reason === "PodFailurePolicy" ? "setup" : "migrate";
  const deed = step === "setup" ? "register the slash commands" : "migrate the database";
  const message = `Job ${name} failed to ${deed} for ${image}: see kubectl logs job/${name} -c ${step}`;
  return { step, message };
}

/**
 * What a version of the bot needs before it serves. First it migrates as the database's owner, whose credentials no bot ever sees, and
 * grants to the bot's role. Then it registers the slash commands at Discord; what Discord does not take now is left to the bot.
 */
export function migrationJob(
  guild: DkpGuild,
  settings: GuildSettings,
  image: string,
  database: Database,
  identity: string,
): Child {
  const names = childNames(guild.metadata.name);
  const labels = migrationSelector(guild.metadata.name);
  const developer = database.mode === "external" ? {} : developerEnvironment(guild, database);
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
      podFailurePolicy,
      template: {
        metadata: { labels, annotations: { "kubectl.kubernetes.io/default-container": "migrate" } },
        spec: podSpec(guild, settings, image, database, developer),
      },
    },
  });
}

function podSpec(
  guild: DkpGuild,
  settings: GuildSettings,
  image: string,
  database: Database,
  developer: Record<string, string | undefined>,
) {
  // The Secret may yet have to be made, and the database is migrated all the same.
  const token = discordVolumes(guild, true);
  const owner = databaseVolumes(database, "owner");
  const common = { image, resources, securityContext: containerSecurityContext };
  return {
    restartPolicy: "Never",
    serviceAccountName: childNames(guild.metadata.name).bot,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: podSecurityContext,
    ...placement(guild),
    initContainers: [
      {
        ...common,
        name: "migrate" satisfies Step,
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
        volumeMounts: owner.map(({ mount }) => mount),
      },
    ],
    containers: [
      {
        ...common,
        name: "setup" satisfies Step,
        args: ["setup", "--best-effort"],
        env: environment(discordEnvironment(guild, settings)),
        volumeMounts: token.map(({ mount }) => mount),
      },
    ],
    volumes: [...owner, ...token].map(({ volume }) => volume),
  };
}
