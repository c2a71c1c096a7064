import { DiscordAPIError, PermissionFlagsBits, REST, Routes } from "./discord/discord-js.ts";
import { registerCommands } from "./discord/registration.ts";
import { tokenSource } from "./discord/token.ts";
import type { BotSettings } from "./config.ts";

/** What a setup found and did. `error` says what to mend; without one all is well. */
type SetupResult = {
  application?: { id: string; name: string };
  guild?: { id: string; name: string };
  commands?: { count: number; hash: string; written: boolean };
  /** Of the whole server: a channel may still grant them. */
  missingPermissions?: string[];
  error?: string;
};

/** What posting auctions and results takes. Answers to commands need none of it. */
const needed = {
  "View Channels": PermissionFlagsBits.ViewChannel,
  "Send Messages": PermissionFlagsBits.SendMessages,
  "Embed Links": PermissionFlagsBits.EmbedLinks,
};

type Discord = BotSettings["discord"];

/**
 * Checks the token and the bot's place in the guild, and registers the commands, all by REST: nothing is written when
 * they are registered already, and no session is started. Writes one line, or one JSON document with `json`.
 * @returns the exit code: 0 when the commands are registered, otherwise 1
 */
export async function setup(discord: Discord, json: boolean, write: (text: string) => void): Promise<number> {
  const result: SetupResult = {};
  try {
    await setUp(discord, result);
  } catch (error) {
    result.error = sentence(error, discord.guildId, result);
  }
  write(`${json ? JSON.stringify({ ok: result.error === undefined, ...result }) : line(result)}\n`);
  return result.error === undefined ? 0 : 1;
}

async function setUp(discord: Discord, result: SetupResult): Promise<void> {
  const rest = new REST({ api: discord.apiUrl.replace(/\/+$/, ""), retries: 2, timeout: 10_000 });
  rest.setToken(await tokenSource(discord.token).read());
  const { id, name } = (await rest.get(Routes.currentApplication())) as { id: string; name: string };
  result.application = { id, name };
  if (discord.applicationId !== undefined && discord.applicationId !== id) {
    throw new Error(
      `The token belongs to application ${id}, not to ${discord.applicationId}: correct DISCORD_APPLICATION_ID or the token.`,
    );
  }
  const guild = (await rest.get(Routes.guild(discord.guildId))) as {
    name: string;
    roles: { id: string; permissions: string }[];
  };
  result.guild = { id: discord.guildId, name: guild.name };
  const { id: userId } = (await rest.get(Routes.user())) as { id: string };
  const { roles } = (await rest.get(Routes.guildMember(discord.guildId, userId))) as { roles: string[] };
  result.missingPermissions = missing(
    guild.roles.filter((role) => role.id === discord.guildId || roles.includes(role.id)),
  );
  const { count, hash, written } = await registerCommands(rest, id, discord.guildId);
  result.commands = { count, hash, written };
}

function missing(roles: { permissions: string }[]): string[] {
  const held = roles.reduce((all, { permissions }) => all | BigInt(permissions), 0n);
  return (held & PermissionFlagsBits.Administrator) !== 0n
    ? []
    : Object.entries(needed)
        .filter(([, bit]) => (held & bit) === 0n)
        .map(([name]) => name);
}

/** What went wrong and what to do, by how far the setup came. */
function sentence(error: unknown, guildId: string, { application, guild }: SetupResult): string {
  const text = error instanceof Error ? error.message : String(error);
  if (!(error instanceof DiscordAPIError)) {
    return text;
  }
  if (error.status === 401) {
    return "Discord refused the bot token: put a valid one into the Secret (or DISCORD_TOKEN).";
  }
  const invite = `https://discord.com/oauth2/authorize?client_id=${application?.id}&scope=bot+applications.commands&guild_id=${guildId}`;
  if (application !== undefined && guild === undefined && (error.status === 403 || error.status === 404)) {
    return `The bot is not a member of guild ${guildId}: invite it with ${invite}`;
  }
  return error.code === 50_001
    ? `Discord refused the commands: the bot was invited without the scope applications.commands; invite it again with ${invite}`
    : `Discord refused: ${text} (code ${error.code})`;
}

function line({ application, guild, commands, missingPermissions = [], error }: SetupResult): string {
  if (error !== undefined || commands === undefined) {
    return `FAILED ${error}`;
  }
  const lack =
    missingPermissions.length === 0
      ? ""
      : ` It lacks ${missingPermissions.join(", ")} in the server: without them in the channels concerned it cannot post auctions and results.`;
  const done = commands.written ? "registered" : "registered already";
  return `ok: ${application?.name} (${application?.id}) is in ${guild?.name}, ${commands.count} commands (${commands.hash}) ${done}.${lack}`;
}
