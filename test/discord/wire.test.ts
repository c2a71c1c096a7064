import type {
  APIApplicationCommand,
  APIChatInputApplicationCommandInteraction,
  APIInteractionDataResolvedGuildMember,
  APIInteractionGuildMember,
  APIMessage,
  APIMessageComponentInteraction,
  APIRole,
  APITextChannel,
  APIUser,
  GatewayGuildCreateDispatchData,
  GatewayReadyDispatchData,
} from "discord-api-types/v10";
import { afterEach, describe, expect, test } from "vitest";
import { readySession, received, stagedGuild } from "./raw-client.ts";
import { startDiscord } from "./stand-in.ts";

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** The keys that discord-api-types requires: a table that does not compile when one is missing or too much. */
type Needed<T> = { [Key in keyof T as undefined extends T[Key] ? never : Key]: true };
const keys = <T>(table: Needed<T>) => Object.keys(table);

const needed = {
  ready: keys<GatewayReadyDispatchData>({
    user: true,
    v: true,
    guilds: true,
    session_id: true,
    resume_gateway_url: true,
    application: true,
  }),
  guild: keys<GatewayGuildCreateDispatchData>({
    id: true,
    application_id: true,
    name: true,
    icon: true,
    banner: true,
    roles: true,
    joined_at: true,
    description: true,
    splash: true,
    discovery_splash: true,
    owner_id: true,
    afk_channel_id: true,
    afk_timeout: true,
    verification_level: true,
    default_message_notifications: true,
    explicit_content_filter: true,
    emojis: true,
    features: true,
    mfa_level: true,
    system_channel_id: true,
    system_channel_flags: true,
    rules_channel_id: true,
    vanity_url_code: true,
    premium_tier: true,
    preferred_locale: true,
    public_updates_channel_id: true,
    nsfw_level: true,
    premium_progress_bar_enabled: true,
    safety_alerts_channel_id: true,
    incidents_data: true,
    hub_type: true,
    large: true,
    member_count: true,
    voice_states: true,
    members: true,
    channels: true,
    threads: true,
    presences: true,
    stage_instances: true,
    guild_scheduled_events: true,
    soundboard_sounds: true,
  }),
  command: keys<APIChatInputApplicationCommandInteraction>({
    id: true,
    application_id: true,
    type: true,
    data: true,
    channel_id: true,
    channel: true,
    token: true,
    version: true,
    app_permissions: true,
    locale: true,
    entitlements: true,
    authorizing_integration_owners: true,
    attachment_size_limit: true,
  }),
  component: keys<APIMessageComponentInteraction>({
    id: true,
    application_id: true,
    type: true,
    data: true,
    channel_id: true,
    channel: true,
    token: true,
    version: true,
    message: true,
    app_permissions: true,
    locale: true,
    entitlements: true,
    authorizing_integration_owners: true,
    attachment_size_limit: true,
  }),
  caller: keys<APIInteractionGuildMember>({
    user: true,
    flags: true,
    permissions: true,
    roles: true,
    joined_at: true,
    deaf: true,
    mute: true,
  }),
  mentioned: keys<APIInteractionDataResolvedGuildMember>({
    flags: true,
    permissions: true,
    roles: true,
    joined_at: true,
  }),
  user: keys<APIUser>({ id: true, username: true, discriminator: true, global_name: true, avatar: true }),
  role: keys<APIRole>({
    id: true,
    flags: true,
    name: true,
    color: true,
    colors: true,
    hoist: true,
    position: true,
    permissions: true,
    managed: true,
    mentionable: true,
  }),
  channel: keys<APITextChannel>({ id: true, type: true, name: true, position: true }),
  message: keys<APIMessage>({
    id: true,
    type: true,
    channel_id: true,
    mentions: true,
    author: true,
    content: true,
    timestamp: true,
    edited_timestamp: true,
    tts: true,
    mention_everyone: true,
    mention_roles: true,
    attachments: true,
    embeds: true,
    pinned: true,
  }),
  registered: keys<APIApplicationCommand>({
    id: true,
    application_id: true,
    type: true,
    version: true,
    name: true,
    description: true,
    default_member_permissions: true,
  }),
};

/** What a member meets: READY, GUILD_CREATE, a command that mentions another, a pressed button, the messages. */
async function scene() {
  const standIn = await startDiscord();
  open.push(() => standIn.close());
  const { application, guild, rest, anna, bert } = await stagedGuild(standIn);
  const session = await readySession(standIn, application.token);
  const given = await standIn.as(anna).command("dkp award", { member: bert, amount: 1 });
  const { payload, callback } = await received(session, given, rest);
  const components = [{ type: 1, components: [{ type: 2, style: 1, label: "Bid", custom_id: "bid" }] }];
  await callback({ type: 4, data: { content: "here", components } });
  const message = await given.reply();
  const pressed = await standIn.as(bert).button(message, "Bid");
  const { data, member } = payload as { data: { resolved: { members: object } }; member: { user: object } };
  const { d: created } = await session.event("GUILD_CREATE");
  return {
    ready: (await session.event("READY")).d,
    guild: created,
    command: payload,
    component: (await received(session, pressed, rest)).payload,
    caller: member,
    mentioned: Object.values(data.resolved.members)[0] as object,
    user: member.user,
    role: (created["roles"] as object[])[0],
    channel: (created["channels"] as object[])[0],
    message,
    registered: (await standIn.commands(application, guild))[0],
  };
}

describe("what is sent holds every field that discord-api-types promises", () => {
  test.each(Object.keys(needed) as (keyof typeof needed)[])("%s", async (name) => {
    const shown = (await scene())[name];
    expect(needed[name].filter((key) => !(key in (shown ?? {})))).toEqual([]);
  });
});
