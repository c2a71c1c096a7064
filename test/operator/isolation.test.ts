import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databaseSettingsFromUrl } from "../../bot/store/connection.ts";
import { openDatabase } from "../../bot/store/database.ts";
import { migrateToLatest } from "../../bot/store/migrate.ts";
import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { type ManagedDatabase, databaseOf } from "../../operator/guild/database.ts";
import { developerRole } from "../../operator/guild/developer.ts";
import { accountSecrets } from "../../operator/guild/secret.ts";
import { sharedDatabase } from "../../operator/guild/shared-database.ts";
import { type PostgresServer, startPostgres } from "../postgres/server.ts";
import { liveGuild } from "./guild.ts";

/** Two guilds in one Cluster: CloudNativePG is played on a real PostgreSQL by what the operator declares, then each guild migrates. */

type Guest = { guild: DkpGuild; database: ManagedDatabase; passwords: Map<string, string> };

let server: PostgresServer;
let admin: pg.Client;
let watch: Guest;
let march: Guest;

function guest(name: string, guildId: string): Guest {
  const shared = { mode: "shared", clusterRef: { name: "common" }, devAccess: "readOnly" };
  const guild = liveGuild({ name }, { guildId, database: shared });
  const database = databaseOf(guild, new Map());
  if (database.mode !== "shared") throw new Error(`the database is ${database.mode}`);
  let count = 0;
  const newPassword = () => `${name}-${(count += 1)}`;
  const passwords = new Map(
    accountSecrets(guild, database, newPassword).map(({ object }) => {
      const { username, password } = object["stringData"] as { username: string; password: string };
      return [username, password] as const;
    }),
  );
  return { guild, database, passwords };
}

/** What CloudNativePG does about DatabaseRole and Database, with the password of the Secret that the role names. */
async function playCloudNativePg({ guild, database, passwords }: Guest): Promise<void> {
  const secrets = new Map(
    accountSecrets(guild, database, () => "").map(({ object }) => [
      object.metadata.name,
      (object["stringData"] as { username: string }).username,
    ]),
  );
  for (const { object } of sharedDatabase(guild, database, new Map())) {
    const spec = object["spec"] as { name: string; owner?: string; passwordSecret?: { name: string } };
    if (object.kind === "DatabaseRole") {
      // The Secret must be that of the same role, or CloudNativePG refuses it.
      expect(secrets.get(spec.passwordSecret?.name ?? "")).toBe(spec.name);
      await admin.query(
        `create role ${pg.escapeIdentifier(spec.name)} login password ${pg.escapeLiteral(passwords.get(spec.name) ?? "")}`,
      );
    } else
      await admin.query(
        `create database ${pg.escapeIdentifier(spec.name)} owner ${pg.escapeIdentifier(spec.owner ?? "")}`,
      );
  }
}

function url({ passwords }: Guest, role: string, database: string): string {
  const address = new URL(server.adminUrl(database));
  address.username = role;
  address.password = passwords.get(role) ?? "";
  return address.href;
}

async function migrate(of: Guest): Promise<void> {
  const { guild, database } = of;
  const settings = databaseSettingsFromUrl(url(of, database.ownerRole, database.name), {
    poolMin: 0,
    poolMax: 2,
    commandTimeoutMs: 10_000,
    sslMode: "disable",
  });
  const owner = openDatabase(settings);
  try {
    await migrateToLatest(owner, {
      guildId: guild.spec.guildId,
      runtimeRole: database.runtimeRole,
      developer: { role: developerRole(guild, database), access: "readOnly" },
    });
  } finally {
    await owner.close();
  }
}

/** The SQLSTATE that a statement of a guild's role ends with in a database; undefined when it is carried out. */
async function refused(of: Guest, role: string, database: string, statement = "select 1") {
  const client = new pg.Client({ connectionString: url(of, role, database) });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.query(statement);
    return undefined;
  } catch (error) {
    return (error as { code: string }).code;
  } finally {
    await client.end();
  }
}

beforeAll(async () => {
  server = await startPostgres();
  admin = new pg.Client({ connectionString: server.adminUrl() });
  await admin.connect();
  watch = guest("watch", "100000000000000001");
  march = guest("march", "100000000000000002");
  for (const one of [watch, march]) {
    await playCloudNativePg(one);
    await migrate(one);
  }
});

afterAll(async () => {
  await admin.end();
  await server.stop();
});

describe("two guilds in one PostgreSQL", () => {
  const noRight = "42501";

  test("each work in their own database", async () => {
    for (const one of [watch, march]) {
      const { name, ownerRole, runtimeRole } = one.database;
      expect(await refused(one, ownerRole, name)).toBeUndefined();
      expect(await refused(one, runtimeRole, name, "select * from event")).toBeUndefined();
      expect(await refused(one, `${name}_dev`, name, "select * from balance")).toBeUndefined();
    }
  });

  test("and none of their accounts can log in to the other's", async () => {
    for (const [one, other] of [
      [watch, march],
      [march, watch],
    ] as const) {
      for (const role of one.passwords.keys())
        expect(await refused(one, role, other.database.name), role).toBe(noRight);
    }
  });

  test("have no account, name or password in common", () => {
    const all = [watch, march].flatMap(({ passwords }) => [...passwords].flat());
    expect(new Set(all).size).toBe(12);
  });

  test("and none of their roles may make roles or databases", async () => {
    const { rows } = await admin.query(
      "select rolname from pg_roles where rolname like 'dkp\\_1%' and (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls)",
    );
    expect(rows).toEqual([]);
  });
});
