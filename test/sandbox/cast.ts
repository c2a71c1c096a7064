import type { Application, Channel, GuildSpec, Member } from "../discord/driver.ts";

/** The guild of config/samples. */
export const sample = {
  namespace: "night-watch",
  name: "night-watch",
  guildId: "123456789012345678",
  secret: "night-watch-discord",
};

// Known to nobody but the stand-in, so no secret of anybody's.
export const sampleToken = "MTAwMDAwMDAwMDAwMDAwMDAx.sandbox.known-to-the-stand-in-only";

/** The S3 server of the sandbox, and who may write into it: known to nobody else either. */
export const objectStore = {
  endpoint: "http://s3.s3.svc:7070",
  bucket: "dkp-backups",
  secret: "object-store",
  accessKeyId: "dkp-sandbox",
  secretAccessKey: "known-to-the-sandbox-only",
};

export const sampleApplication: Application = {
  id: "1000000000000000001",
  token: sampleToken,
  name: "Night Watch DKP",
};
const officers = { id: "1000000000000000002", name: "Officers" };

export const lootChannel: Channel = {
  id: "1000000000000000003",
  guildId: sample.guildId,
  name: "loot",
};

const raider = (id: string, name: string, roles: string[] = []): Member => ({
  id,
  guildId: sample.guildId,
  name,
  nick: null,
  roles,
});

/** The officer's role may manage the server, which is what lets the officer use officer commands before any rule says so. */
export const officer = raider("1000000000000000011", "drekthar", [officers.id]);
export const thrall = raider("1000000000000000012", "thrall");
export const jaina = raider("1000000000000000013", "jaina");

const manageGuild = 1n << 5n;

/** What the stand-in starts with: constant ids, so that a restarted stand-in still knows everybody. */
export const seed = {
  applications: [sampleApplication],
  guilds: [
    {
      id: sample.guildId,
      name: "Night Watch",
      roles: [{ ...officers, permissions: String(manageGuild) }],
      channels: [{ id: lootChannel.id, name: lootChannel.name }],
      members: [officer, thrall, jaina].map(({ id, name, roles }) => ({ id, name, roles })),
      applications: [sampleApplication.id],
    },
  ] satisfies GuildSpec[],
};
