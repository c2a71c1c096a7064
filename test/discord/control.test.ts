import { ApplicationCommandOptionType, Client, Events, GatewayIntentBits } from "discord.js";
import { afterEach, expect, test } from "vitest";
import { connectDiscord } from "./control-client.ts";
import { control } from "./control.ts";
import { startDiscord } from "./stand-in.ts";

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function remote() {
  const standIn = await startDiscord();
  open.push(() => standIn.close());
  standIn.serve(control(standIn));
  return connectDiscord(`http://127.0.0.1:${standIn.port}`);
}

async function echoBot(apiUrl: string, token: string, guildId: string) {
  const client = new Client({ intents: [GatewayIntentBits.Guilds], rest: { api: apiUrl } });
  open.push(() => client.destroy());
  const ready = new Promise<void>((resolve) => client.once(Events.ClientReady, () => resolve()));
  client.on(Events.InteractionCreate, (interaction) => {
    if (interaction.isAutocomplete()) void interaction.respond([{ name: "Axe", value: "axe" }]);
    if (!interaction.isChatInputCommand()) return;
    void interaction
      .deferReply()
      .then(() => interaction.editReply(interaction.options.getString("text", true)));
  });
  await client.login(token);
  await ready;
  const text = {
    type: ApplicationCommandOptionType.String as const,
    name: "text",
    description: "What",
    required: true,
    autocomplete: true,
  };
  await client.guilds.cache
    .get(guildId)
    ?.commands.set([{ name: "echo", description: "Says it", options: [text] }]);
}

test("the control API drives the stand-in as its own process would", async () => {
  const discord = await remote();
  const application = await discord.addApplication({ name: "Echo" });
  const guild = await discord.addGuild({
    roles: [{ name: "officer", permissions: 8n }],
    members: [{ name: "Anna", roles: ["officer"] }],
    applications: [application],
  });
  const anna = guild.members[0]!;
  await echoBot(discord.apiUrl, application.token, guild.id);
  const said = await discord.as(anna).command("echo", { text: "hello" });
  expect((await said.reply()).content).toBe("hello");
  expect(await discord.as(anna).autocomplete("echo", "text", { text: "a" })).toEqual([
    { name: "Axe", value: "axe" },
  ]);
  await expect(discord.as(anna).command("echo", {})).rejects.toMatchObject({
    name: "ClientRefusal",
    message: "option text is required",
  });
  expect(await discord.messages(guild.channels[0]!)).toMatchObject([{ content: "hello", ephemeral: false }]);
  expect(await discord.commands(application, guild)).toMatchObject([{ name: "echo" }]);
  expect(await discord.sessions()).toMatchObject([{ connected: true }]);
  expect(await discord.journal({ method: "PUT" })).toMatchObject([{ status: 200 }]);
  expect(await discord.violations()).toEqual([]);
});

test("a load run inside the process tells what every member saw", async () => {
  const discord = await remote();
  const application = await discord.addApplication();
  const guild = await discord.addGuild({
    members: [{ name: "Anna" }, { name: "Bert" }],
    applications: [application],
  });
  await echoBot(discord.apiUrl, application.token, guild.id);
  const report = await discord.load({
    perSecond: 100,
    durationMs: 500,
    plan: { members: guild.members, commands: [{ name: "echo", options: { text: "hi" } }] },
  });
  expect(report).toMatchObject({ sent: 50, answeredOnce: 50, failed: 0, answeredTwice: 0, unsettled: 0 });
  expect(report.answered.p50).toBeGreaterThan(0);
});

test("a verb that is not known and a body that is no list are refused with a sentence", async () => {
  const discord = await remote();
  const url = discord.apiUrl.replace(/\/api$/, "");
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  const unknown = await fetch(`${url}/control/fly`, { method: "POST", body: "[]" });
  expect(unknown.status).toBe(404);
  const notAList = await fetch(`${url}/control/sessions`, { method: "POST", body: "{}" });
  expect(await notAList.json()).toMatchObject({ message: "the body is the JSON array of the arguments" });
});
