import {
  Client,
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
  return { standIn, application, guild, anna, bert };
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
});
