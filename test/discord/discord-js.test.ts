import {
  ActionRowBuilder,
  ButtonBuilder,
  AttachmentBuilder,
  ButtonStyle,
  ChannelType,
  Client,
  ContainerBuilder,
  EmbedBuilder,
  LabelBuilder,
  ModalBuilder,
  TextInputBuilder,
  TextInputStyle,
  type DiscordAPIError,
  Events,
  GatewayIntentBits,
  MessageFlags,
  SlashCommandBuilder,
  type Interaction,
} from "discord.js";
import { afterEach, describe, expect, test } from "vitest";
import { startDiscord, type DiscordOptions, type DiscordStandIn } from "./stand-in.ts";

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const dkp = new SlashCommandBuilder()
  .setName("dkp")
  .setDescription("Points")
  .addSubcommand((sub) =>
    sub
      .setName("award")
      .setDescription("Give points")
      .addUserOption((option) => option.setName("member").setDescription("Who").setRequired(true))
      .addIntegerOption((option) =>
        option.setName("amount").setDescription("How many").setMinValue(1).setRequired(true),
      )
      .addStringOption((option) => option.setName("item").setDescription("For what").setAutocomplete(true)),
  );

async function discord(options: DiscordOptions = {}) {
  const standIn = await startDiscord(options);
  open.push(() => standIn.close());
  const application = await standIn.addApplication();
  const guild = await standIn.addGuild({
    applications: [application],
    channels: [{ name: "general" }],
    members: [{ name: "Anna" }, { name: "Bert" }],
  });
  const [anna, bert] = guild.members;
  if (anna === undefined || bert === undefined) throw new Error("two members were asked for");
  const [general] = guild.channels;
  if (general === undefined) throw new Error("a channel was asked for");
  return { standIn, application, guild, general, anna, bert };
}

async function bot(
  standIn: DiscordStandIn,
  token: string,
  listen: (interaction: Interaction) => Promise<unknown>,
) {
  const client = new Client({ intents: [GatewayIntentBits.Guilds], rest: { api: standIn.apiUrl } });
  open.push(() => client.destroy());
  client.on(Events.Error, () => undefined);
  client.on(Events.InteractionCreate, (interaction) => void listen(interaction));
  const ready = new Promise<void>((resolve) => client.once(Events.ClientReady, () => resolve()));
  await client.login(token);
  await ready;
  return client;
}

describe("discord.js", () => {
  test("logs in, registers commands and answers them", async () => {
    const { standIn, application, guild, anna, bert } = await discord();
    const client = await bot(standIn, application.token, async (interaction) => {
      if (!interaction.isChatInputCommand()) return;
      const who = interaction.options.getUser("member", true);
      await interaction.reply({ content: `${interaction.options.getInteger("amount", true)} for ${who.id}` });
    });
    expect(client.guilds.cache.get(guild.id)?.name).toBe("Guild");
    await client.guilds.cache.get(guild.id)?.commands.set([dkp.toJSON()]);
    const given = await standIn.as(anna).command("dkp award", { member: bert, amount: 5 });
    expect((await given.reply()).content).toBe(`5 for ${bert.id}`);
    expect(await standIn.messages(guild.channels[0]!)).toHaveLength(1);
    expect(await standIn.violations()).toEqual([]);
  });

  test("defers, edits the answer and follows up, all of it for one member's eyes", async () => {
    const { standIn, application, guild, anna, bert } = await discord();
    const client = await bot(standIn, application.token, async (interaction) => {
      if (!interaction.isChatInputCommand()) return;
      await interaction.deferReply({ flags: MessageFlags.Ephemeral });
      await interaction.editReply({ content: "first" });
      await interaction.followUp({ content: "second", flags: MessageFlags.Ephemeral });
      await interaction.editReply({
        content: "changed",
        embeds: [{ title: "Points", fields: [{ name: "a", value: "b" }] }],
      });
    });
    await client.guilds.cache.get(guild.id)?.commands.set([dkp.toJSON()]);
    const given = await standIn.as(anna).command("dkp award", { member: bert, amount: 5 });
    await given.acknowledged();
    const { original, followups } = await given.until(({ original }) => original?.content === "changed");
    expect(original).toMatchObject({ ephemeral: true, edits: 2, loading: false });
    expect(followups).toMatchObject([{ content: "second", ephemeral: true }]);
    expect(await standIn.messages(guild.channels[0]!)).toEqual([]);
    expect(await standIn.violations()).toEqual([]);
  });

  test("offers choices, opens a modal from a button and changes the message in place", async () => {
    const { standIn, application, guild, anna, bert } = await discord();
    const client = await bot(standIn, application.token, async (interaction) => {
      if (interaction.isAutocomplete()) {
        const typed = interaction.options.getFocused();
        await interaction.respond([{ name: `${typed}e`, value: `${typed}e` }]);
      }
      if (interaction.isChatInputCommand()) {
        const bid = new ButtonBuilder().setCustomId("bid").setLabel("Bid").setStyle(ButtonStyle.Primary);
        const row = new ActionRowBuilder<ButtonBuilder>().addComponents(bid);
        await interaction.reply({ content: "An axe", components: [row] });
      }
      if (interaction.isButton()) {
        const amount = new TextInputBuilder().setCustomId("amount").setStyle(TextInputStyle.Short);
        const label = new LabelBuilder().setLabel("Amount").setTextInputComponent(amount);
        await interaction.showModal(
          new ModalBuilder().setCustomId("bid").setTitle("Bid").addLabelComponents(label),
        );
      }
      if (interaction.isModalSubmit() && interaction.isFromMessage()) {
        await interaction.update({
          content: `Bid: ${interaction.fields.getTextInputValue("amount")}`,
          components: [],
        });
      }
    });
    await client.guilds.cache.get(guild.id)?.commands.set([dkp.toJSON()]);
    expect(await standIn.as(anna).autocomplete("dkp award", "item", { item: "ax" })).toEqual([
      { name: "axe", value: "axe" },
    ]);
    const given = await standIn.as(anna).command("dkp award", { member: bert, amount: 1 });
    const message = await given.reply();
    const pressed = await standIn.as(bert).button(message, "Bid");
    const submitted = await standIn.as(bert).modal(await pressed.modal(), { amount: "20" });
    expect(await submitted.reply()).toMatchObject({ id: message.id, content: "Bid: 20", components: [] });
    expect(await standIn.violations()).toEqual([]);
  });

  test("shows components of version 2, files and embeds as Discord wants them", async () => {
    const { standIn, application, guild, general } = await discord();
    const client = await bot(standIn, application.token, async () => undefined);
    const channel = await client.channels.fetch(general.id);
    if (channel?.type !== ChannelType.GuildText) throw new Error("a text channel was expected");
    const container = new ContainerBuilder()
      .addTextDisplayComponents((text) => text.setContent("# Standings"))
      .addSeparatorComponents((separator) => separator);
    await channel.send({ components: [container], flags: MessageFlags.IsComponentsV2 });
    const file = new AttachmentBuilder(Buffer.from("a,b"), { name: "log.csv" });
    const sent = await channel.send({
      files: [file],
      embeds: [new EmbedBuilder().setTitle("Log").setTimestamp()],
    });
    await sent.edit({ content: "edited" });
    expect(await standIn.messages(general)).toMatchObject([
      { components: [{ type: 17, components: [{ type: 10, content: "# Standings" }, { type: 14 }] }] },
      { content: "edited", attachments: [{ filename: "log.csv" }], embeds: [{ title: "Log" }] },
    ]);
    expect(await standIn.violations()).toEqual([]);
    expect(guild.channels).toHaveLength(1);
  });

  test.each([
    { name: "the connection is cut", upset: (standIn: DiscordStandIn) => standIn.chaos.disconnect() },
    { name: "it is told to reconnect", upset: (standIn: DiscordStandIn) => standIn.chaos.reconnect() },
    {
      name: "it is closed with 4000",
      upset: (standIn: DiscordStandIn) => standIn.chaos.disconnect({ code: 4000 }),
    },
  ])("resumes when $name, and answers what came meanwhile", async ({ upset }) => {
    const { standIn, application, guild, anna, bert } = await discord();
    const client = await bot(standIn, application.token, echo);
    await client.guilds.cache.get(guild.id)?.commands.set([dkp.toJSON()]);
    await upset(standIn);
    const given = await standIn.as(anna).command("dkp award", { member: bert, amount: 7 });
    expect((await given.reply()).content).toBe("7");
    await expect.poll(() => standIn.sessions()).toMatchObject([{ connected: true, resumes: 1 }]);
    expect(await standIn.violations()).toEqual([]);
  });

  test("identifies anew when its session is gone", async () => {
    const { standIn, application, guild, anna, bert } = await discord();
    const client = await bot(standIn, application.token, echo);
    await client.guilds.cache.get(guild.id)?.commands.set([dkp.toJSON()]);
    const [first] = await standIn.sessions();
    await standIn.chaos.invalidate();
    await expect
      .poll(
        async () => (await standIn.sessions()).map(({ id, connected }) => connected && id !== first?.id),
        {
          timeout: 20_000,
        },
      )
      .toEqual([true]);
    const given = await standIn.as(anna).command("dkp award", { member: bert, amount: 8 });
    expect((await given.reply()).content).toBe("8");
  });

  test("notices a connection that went mute, and resumes", async () => {
    const { standIn, application, guild, anna, bert } = await discord({ heartbeatIntervalMs: 300 });
    const client = await bot(standIn, application.token, echo);
    await client.guilds.cache.get(guild.id)?.commands.set([dkp.toJSON()]);
    await standIn.chaos.freeze();
    const given = await standIn.as(anna).command("dkp award", { member: bert, amount: 9 });
    expect((await given.reply()).content).toBe("9");
    expect(await standIn.sessions()).toMatchObject([{ connected: true, resumes: 1 }]);
  });

  test("is told of a wrong token and of intents that are switched off", async () => {
    const { standIn, application } = await discord();
    const wrong = new Client({ intents: [], rest: { api: standIn.apiUrl } });
    open.push(() => wrong.destroy());
    await expect(wrong.login("wrong")).rejects.toThrow("An invalid token was provided.");
    const nosy = new Client({ intents: [GatewayIntentBits.GuildMembers], rest: { api: standIn.apiUrl } });
    open.push(() => nosy.destroy());
    await expect(nosy.login(application.token)).rejects.toThrow("Used disallowed intents");
  });

  test("waits as long as a 429 says and tries again", async () => {
    const { standIn, application, guild } = await discord();
    const client = await bot(standIn, application.token, echo);
    await standIn.chaos.fault({ kind: "rateLimit", retryAfterMs: 50, method: "PUT", times: 1 });
    await client.guilds.cache.get(guild.id)?.commands.set([dkp.toJSON()]);
    expect((await standIn.journal({ method: "PUT" })).map(({ status }) => status)).toEqual([429, 200]);
  });

  test("of several at once, one answers and the others learn that it was not them", async () => {
    const { standIn, application, guild, anna, bert } = await discord();
    const refusals: unknown[] = [];
    const listen = (interaction: Interaction) =>
      echo(interaction).catch((error: unknown) => refusals.push((error as DiscordAPIError).code));
    const clients = [];
    for (let n = 0; n < 3; n += 1) clients.push(await bot(standIn, application.token, listen));
    await clients[0]?.guilds.cache.get(guild.id)?.commands.set([dkp.toJSON()]);
    const given = await standIn.as(anna).command("dkp award", { member: bert, amount: 3 });
    expect(await given.reply()).toMatchObject({ content: "3", versions: 1 });
    await expect.poll(() => refusals).toEqual([40060, 40060]);
    expect(await given.record()).toMatchObject({ refusedCallbacks: [40060, 40060], followups: [] });
    expect(await standIn.messages(guild.channels[0]!)).toHaveLength(1);
  });
});

async function echo(interaction: Interaction): Promise<void> {
  if (interaction.isChatInputCommand())
    await interaction.reply(String(interaction.options.getInteger("amount", true)));
}
