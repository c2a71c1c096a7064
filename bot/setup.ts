import { DiscordAPIError, PermissionFlagsBits, RateLimitError, REST, Routes } from "./discord/discord-js.ts";
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
  error?: string | undefined;
};

type SetupOptions = {
  json: boolean;
  /** Puts off what Discord does not take now, and waits for no rate limit: the bot registers its commands itself as it starts. */
  bestEffort: boolean;
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
 * @returns the exit code: 0 when the commands are registered, otherwise 1; with `bestEffort` 1 only where Discord finds
 * fault with the commands themselves
 */
export async function setup(
  discord: Discord,
  { json, bestEffort }: SetupOptions,
  write: (text: string) => void,
): Promise<number> {
  const result: SetupResult = {};
  let isPutOff = false;
  try {
    result.error = await setUp(discord, bestEffort, result);
    isPutOff = bestEffort && result.error !== undefined;
  } catch (error) {
    result.error = sentence(error, discord.guildId, result);
    isPutOff = bestEffort && !isOfCommands(error);
  }
  const isDone = result.error === undefined;
  write(`${json ? JSON.stringify({ ok: isDone, ...result }) : line(result, isPutOff)}\n`);
  return isDone || isPutOff ? 0 : 1;
}

/** A sentence where something is missing on our side; throws what the REST client throws. */
async function setUp(
  discord: Discord,
  bestEffort: boolean,
  result: SetupResult,
): Promise<string | undefined> {
  const rest = new REST({
    api: discord.apiUrl.replace(/\/+$/, ""),
    retries: 2,
    timeout: 10_000,
    rejectOnRateLimit: bestEffort ? () => true : null,
  });
  const token = await tokenSource(discord.token)
    .read()
    .catch(() => undefined);
  if (token === undefined) {
    return "There is no bot token: put it into the Secret (or DISCORD_TOKEN).";
  }
  rest.setToken(token);
  const { id, name } = (await rest.get(Routes.currentApplication())) as { id: string; name: string };
  result.application = { id, name };
  if (discord.applicationId !== undefined && discord.applicationId !== id) {
    return `The token belongs to application ${id}, not to ${discord.applicationId}: correct DISCORD_APPLICATION_ID or the token.`;
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
  return undefined;
}

function missing(roles: { permissions: string }[]): string[] {
  const held = roles.reduce((all, { permissions }) => all | BigInt(permissions), 0n);
  return (held & PermissionFlagsBits.Administrator) !== 0n
    ? []
    : Object.entries(needed)
        .filter(([, bit]) => (held & bit) === 0n)
        .map(([name]) => name);
}

/** Discord finds fault with what it is to register: "Invalid Form Body". Trying again later would not help. */
function isOfCommands(error: unknown): boolean {
  return error instanceof DiscordAPIError && error.code === 50_035;
}

/** What went wrong and what to do, by how far the setup came. */
function sentence(error: unknown, guildId: string, { application, guild }: SetupResult): string {
  if (error instanceof RateLimitError) {
    return "Discord takes no more requests of the bot just now (rate limit).";
  }
  const text = error instanceof Error ? error.message : String(error);
  if (!(error instanceof DiscordAPIError)) {
    return `Discord does not answer: ${text}`;
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

function line(
  { application, guild, commands, missingPermissions = [], error }: SetupResult,
  isPutOff: boolean,
): string {
  if (isPutOff) {
    return `put off, for the bot registers the commands itself as it starts: ${error}`;
  }
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
