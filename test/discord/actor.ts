import type { APIApplicationCommandOptionChoice } from "discord-api-types/v10";
import { clientRefuses, commandData, focusedOption, selectedData, type Scene } from "./command-input.ts";
import { walk } from "./components.ts";
import type { Actor, Component, Interaction, Member, Modal, Options, Ref, Where } from "./driver.ts";
import { interactionType, type InteractionEntry } from "./interaction-entry.ts";
import type { Interactions } from "./interactions.ts";
import { publish } from "./messages.ts";
import { mentions } from "./mentions.ts";
import { blankMessage, driverMessage, newMessage } from "./objects.ts";
import { allowed, channelPermissions, mayUseCommand } from "./permissions.ts";
import { idOf, known, type ChannelRecord, type MessageRecord, type World } from "./world.ts";
import { PermissionFlagsBits } from "discord-api-types/v10";

type Context = {
  world: World;
  interactions: Interactions;
  /** The driver's view of an interaction. */
  follow: (entry: InteractionEntry) => Interaction;
};

/** A member's client: it refuses what Discord's clients would not send. */
export function actor(context: Context, who: Member): Actor {
  const { world, interactions, follow } = context;

  const scene = (): Scene => {
    const guild = known(world.guilds, who.guildId, "guild");
    const member = guild.members.get(who.id) ?? clientRefuses(`${who.name} is not in the guild`);
    return { world, guild, member };
  };

  const channelOf = ({ guild, member }: Scene, where: Where): ChannelRecord => {
    const channel =
      where.channel === undefined ? [...guild.channels.values()][0] : world.channels.get(idOf(where.channel));
    if (channel === undefined || channel.guildId !== guild.id)
      return clientRefuses("there is no such channel");
    if (!allowed(channelPermissions(guild, member, channel), PermissionFlagsBits.ViewChannel)) {
      return clientRefuses(`${who.name} does not see channel ${channel.name}`);
    }
    return channel;
  };

  const commandOf = ({ guild, member }: Scene, name: string, where: Where, channel: ChannelRecord) => {
    const [root = "", ...path] = name.replace(/^\//, "").split(" ");
    const found = [...guild.applications]
      .filter((id) => where.application === undefined || idOf(where.application) === id)
      .flatMap((id) => known(world.applications, id, "application").commands.get(guild.id) ?? [])
      .find((command) => command.name === root && command.type === 1);
    if (found === undefined) return clientRefuses(`there is no command /${root}`);
    const { access } = known(world.applications, found.application_id, "application");
    if (!mayUseCommand(guild, member, channel, found, access.get(found.id) ?? [])) {
      return clientRefuses(`${who.name} may not use /${root} in ${channel.name}`);
    }
    return { command: found, path };
  };

  const send = (name: string, options: Options, where: Where, focused: string | null): InteractionEntry => {
    const here = scene();
    const channel = channelOf(here, where);
    const { command, path } = commandOf(here, name, where, channel);
    const focus = focused === null ? null : focusedOption(command, path, focused);
    return interactions.start({
      applicationId: command.application_id,
      guild: here.guild,
      channel,
      member: here.member,
      type: focus === null ? interactionType.command : interactionType.autocomplete,
      data: commandData(here, command, path, options, focused),
      commandName: command.name,
      ...(focus === null ? {} : { focusedType: focus.type }),
      ...(where.sentAtMs === undefined ? {} : { sentAtMs: where.sentAtMs }),
    });
  };

  /** A component of a message that this member sees and can use. */
  const componentOf = (message: Ref, wanted: string, types: number[]) => {
    const record = world.messages.get(idOf(message)) ?? clientRefuses("the message is gone");
    if (record.onlyFor !== null && record.onlyFor !== who.id)
      clientRefuses(`${who.name} does not see the message`);
    const component = walk(record.api.components)
      .map(({ component: found }) => found)
      .find(
        (found) => types.includes(found.type) && (found["custom_id"] === wanted || found["label"] === wanted),
      );
    if (component === undefined) return clientRefuses(`the message has no ${wanted}`);
    if (component["disabled"] === true) return clientRefuses(`${wanted} is disabled`);
    if (component["custom_id"] === undefined) return clientRefuses(`${wanted} causes no interaction`);
    return { record, component };
  };

  const startComponent = (record: MessageRecord, component: Component, more: Record<string, unknown>) => {
    const here = scene();
    const channel = channelOf(here, { channel: record.api.channel_id });
    const data = {
      custom_id: component["custom_id"],
      component_type: component.type,
      id: component.id,
      ...more,
    };
    const applicationId = record.applicationId ?? clientRefuses("nobody listens to this message");
    const entry = interactions.start({
      applicationId,
      guild: here.guild,
      channel,
      member: here.member,
      type: interactionType.component,
      data,
      commandName: "",
      source: record,
    });
    return follow(entry);
  };

  return {
    command: async (name, options = {}, where = {}) => follow(send(name, options, where, null)),
    async autocomplete(
      name,
      focused,
      options = {},
      where = {},
    ): Promise<APIApplicationCommandOptionChoice[]> {
      const record = await follow(send(name, options, where, focused)).until(
        ({ state }) => state !== "pending",
      );
      return record.choices ?? clientRefuses("Loading options failed");
    },
    async button(message, wanted) {
      const { record, component } = componentOf(message, wanted, [2]);
      return startComponent(record, component, {});
    },
    async select(message, customId, chosen) {
      const { record, component } = componentOf(message, customId, [3, 5, 6, 7, 8]);
      const picked = chosen.map(idOf);
      const [min, max] = [Number(component["min_values"] ?? 1), Number(component["max_values"] ?? 1)];
      if (picked.length < min || picked.length > max)
        clientRefuses(`${customId} takes ${min} to ${max} values`);
      const offered = component["options"] as { value: string }[] | undefined;
      const strange = picked.find((value) => offered?.every((option) => option.value !== value) === true);
      if (strange !== undefined) clientRefuses(`${customId} does not offer ${strange}`);
      return startComponent(record, component, {
        values: picked,
        ...selectedData(scene(), component.type, picked),
      });
    },
    modal: async (modal, inputs) => follow(submit(context, who, scene(), modal, inputs)),
    async say(channelRef, content) {
      const here = scene();
      const channel = channelOf(here, { channel: channelRef });
      const permissions = channelPermissions(here.guild, here.member, channel);
      if (!allowed(permissions, PermissionFlagsBits.SendMessages)) {
        clientRefuses(`${who.name} may not write in ${channel.name}`);
      }
      const api = { ...blankMessage(world, channel.id, who.id), content };
      const found = mentions(world, here.guild, channel, api, null);
      const shown = { mentions: found.users, mention_roles: found.roles, mention_everyone: found.everyone };
      const record = newMessage({ ...api, ...shown });
      record.notified = found.notified;
      publish(world, record);
      return driverMessage(record);
    },
  };
}

/** Submits a modal as the member filled it in. */
function submit(
  { interactions, world }: Context,
  who: Member,
  here: Scene,
  modal: Modal,
  inputs: Record<string, string>,
): InteractionEntry {
  const opener = interactions.find(modal.interactionId) ?? clientRefuses("the modal is gone");
  if (opener.record.userId !== who.id) clientRefuses(`${who.name} does not see the modal`);
  const components = modal.components as unknown as Component[];
  const fields = walk(components).filter(({ component }) => component.type === 4);
  for (const name of Object.keys(inputs)) {
    if (fields.every(({ component }) => component["custom_id"] !== name))
      clientRefuses(`the modal has no input ${name}`);
  }
  const filled = new Map(fields.map(({ component }) => [component["custom_id"], typed(component, inputs)]));
  const channel = known(world.channels, opener.record.channelId, "channel");
  return interactions.start({
    applicationId: opener.record.applicationId,
    guild: here.guild,
    channel,
    member: here.member,
    type: interactionType.modal,
    data: { custom_id: modal.custom_id, components: components.map((part) => answeredPart(part, filled)) },
    commandName: opener.commandName,
    ...(opener.source === null ? {} : { source: opener.source }),
  });
}

/** The text of an input, within its bounds. */
function typed(component: Component, inputs: Record<string, string>): string {
  const name = String(component["custom_id"]);
  const preset = component["value"];
  const text = inputs[name] ?? (typeof preset === "string" ? preset : "");
  const required = component["required"] !== false;
  const least = Number(component["min_length"] ?? (required ? 1 : 0));
  const most = Number(component["max_length"] ?? 4_000);
  if (text === "" && !required) return text;
  if (text.length < least || text.length > most) {
    clientRefuses(`${name} wants ${least} to ${most} characters, not ${text.length}`);
  }
  return text;
}

/** A part of a modal as it is submitted: rows and labels around inputs with their values. */
function answeredPart(part: Component, filled: ReadonlyMap<unknown, string>): Record<string, unknown> {
  const input = (component: Component) => ({
    type: component.type,
    id: component.id ?? 1,
    custom_id: component["custom_id"],
    value: filled.get(component["custom_id"]) ?? "",
  });
  const base = { type: part.type, id: part.id ?? 1 };
  if (part.type === 18) return { ...base, component: input(part["component"] as Component) };
  if (part.type === 1) return { ...base, components: (part["components"] as Component[]).map(input) };
  return base;
}
