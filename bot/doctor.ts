import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { APIGatewayBotInfo } from "discord.js";
import { REST, Routes } from "./discord/discord-js.ts";
import { parse } from "yaml";
import { botConfigSchema } from "../crds/bot-config.ts";
import { inClusterConnection } from "../runtime/kube/config.ts";
import { lightKubeClient } from "../runtime/kube/light-client.ts";
import type { BotSettings } from "./config.ts";
import { commandDefinitions, definitionsHash } from "./discord/catalog.ts";
import { tokenSource } from "./discord/token.ts";
import { podNamespace } from "./jobs/leadership.ts";
import { openDatabase } from "./store/database.ts";
import { pendingMigrations } from "./store/migrate.ts";

type Check = { name: string; look(): Promise<string> };

const leases = {
  group: "coordination.k8s.io",
  version: "v1",
  kind: "Lease",
  plural: "leases",
  namespaced: true,
};

/** Checks everything that a bot needs, writes a line each, and answers 0 when all is well. Changes nothing. */
export async function doctor(settings: BotSettings, write: (text: string) => void): Promise<number> {
  let failures = 0;
  for (const { name, look } of checks(settings)) {
    const line = await look().catch((error: unknown) => {
      failures += 1;
      const cause = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : "";
      return `FAILED ${error instanceof Error ? error.message : String(error)}${cause}`;
    });
    write(`${name.padEnd(14)} ${line}\n`);
  }
  write(failures === 0 ? "All is well.\n" : `${failures} of the checks failed.\n`);
  return failures === 0 ? 0 : 1;
}

function checks(settings: BotSettings): Check[] {
  return [
    ...discordChecks(settings),
    ...databaseChecks(settings),
    ...configChecks(settings),
    ...leaseChecks(settings),
  ];
}

function discordChecks({ discord }: BotSettings): Check[] {
  const rest = new REST({ api: discord.apiUrl.replace(/\/+$/, ""), retries: 1, timeout: 10_000 });
  let applicationId = discord.applicationId ?? "";
  return [
    {
      name: "token",
      async look() {
        const token = await tokenSource(discord.token).read();
        rest.setToken(token);
        const application = (await rest.get(Routes.currentApplication())) as { id: string; name: string };
        applicationId = application.id;
        return `ok, application ${application.name} (${application.id}), token ${shortHash(token)}`;
      },
    },
    {
      name: "sessions",
      async look() {
        const { session_start_limit: limit } = (await rest.get(Routes.gatewayBot())) as APIGatewayBotInfo;
        return `ok, ${limit.remaining} of ${limit.total} session starts left`;
      },
    },
    {
      name: "guild",
      async look() {
        const guild = (await rest.get(Routes.guild(discord.guildId))) as { name: string };
        return `ok, member of ${guild.name}`;
      },
    },
    {
      name: "commands",
      async look() {
        const listed = (await rest.get(
          Routes.applicationGuildCommands(applicationId, discord.guildId),
        )) as unknown[];
        const current = definitionsHash(listed) === definitionsHash(commandDefinitions());
        return current ? "ok, registered" : "not (all) registered yet: the leading replica does that";
      },
    },
  ];
}

/** Tells two secrets apart without telling either. */
function shortHash(secret: string): string {
  return createHash("sha256").update(secret).digest("hex").slice(0, 8);
}

function databaseChecks(settings: BotSettings): Check[] {
  return [
    {
      name: "database",
      async look() {
        const database = openDatabase({ ...settings.database, poolMin: 0, poolMax: 1 });
        try {
          const pending = await pendingMigrations(database);
          return pending.length === 0 ? "ok, migrated" : `to be migrated: ${pending.join(", ")}`;
        } finally {
          await database.close();
        }
      },
    },
  ];
}

function configChecks({ configFile }: BotSettings): Check[] {
  return configFile === undefined
    ? []
    : [
        {
          name: "config file",
          async look() {
            botConfigSchema.parse(parse(await readFile(configFile, "utf8")) ?? {});
            return "ok";
          },
        },
      ];
}

function leaseChecks({ lease, kubernetes, serviceAccountDir, podNamespace: given }: BotSettings): Check[] {
  const { host, port } = kubernetes;
  if (lease === undefined || host === undefined) {
    return [];
  }
  return [
    {
      name: "Lease",
      async look() {
        const namespace = await podNamespace(given, serviceAccountDir);
        const client = lightKubeClient({
          connection: inClusterConnection({ serviceAccountDir, host, port }),
          fieldManager: "dkp-bot",
          userAgent: "dkp-bot doctor",
          connections: 1,
        });
        try {
          const found = await client.get(leases, { namespace, name: lease.name });
          return found === undefined ? `missing: the operator creates ${lease.name}` : "ok";
        } finally {
          await client.close();
        }
      },
    },
  ];
}
