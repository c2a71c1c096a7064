import { Client, GatewayIntentBits } from "discord.js";

/** A discord.js client that does nothing but be logged in, for its memory. */
const { DISCORD_TOKEN = "", DISCORD_API_URL = "" } = process.env;
const client = new Client({
  intents: [GatewayIntentBits.Guilds],
  rest: { api: DISCORD_API_URL },
});
client.once("clientReady", () => void process.send?.({ ready: true }));
process.once("SIGTERM", () => void client.destroy().then(() => process.exit(0)));
await client.login(DISCORD_TOKEN);
