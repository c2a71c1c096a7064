import type {
  APIApplicationCommandInteractionDataBasicOption,
  APIApplicationCommandInteractionDataOption,
  APIInteraction,
  APIInteractionGuildMember,
  APIUser,
} from "discord.js";
import {
  ApplicationCommandOptionType,
  ApplicationCommandType,
  ComponentType,
  InteractionType,
} from "./discord-js.ts";
import type { AuctionId } from "../ledger/event.ts";
import { snowflakeTimeMs } from "./snowflake.ts";

/** Who pressed, chose or typed something. `displayName` is raw text of theirs: escape it before showing it. */
export type Actor = { userId: string; displayName: string; roleIds: string[]; permissions: bigint };

type OptionValue = string | number | boolean;

type Envelope = {
  id: string;
  token: string;
  applicationId: string;
  guildId: string;
  channelId: string;
  /** When Discord made it: what bids are judged by and what the 3 s and 15 min clocks run from. */
  createdAtMs: number;
  actor: Actor;
  payload: APIInteraction;
};

/** A slash command: `path` is its full name, such as "dkp award" or "dkp-admin config set". */
export type CommandInvocation = Envelope & {
  kind: "command";
  path: string;
  options: ReadonlyMap<string, OptionValue>;
  /** The members among the chosen users: those that belong to the guild, with the name it knows them by. */
  members: ReadonlyMap<string, { displayName: string; isBot: boolean }>;
};

/** A pressed button: `action` is the part of its custom id before the first colon, `arguments` are the others. */
export type ButtonInvocation = Envelope & { kind: "button"; action: string; arguments: string[] };

/** A member typing into an option that offers choices. */
export type AutocompleteInvocation = Envelope & {
  kind: "autocomplete";
  path: string;
  focused: { name: string; value: string };
  options: ReadonlyMap<string, OptionValue>;
};

export type Invocation = CommandInvocation | ButtonInvocation | AutocompleteInvocation;

/** What an interaction of a guild asks for, or undefined for one that this bot offers no answer to. */
export function invocation(payload: APIInteraction): Invocation | undefined {
  if (payload.guild_id === undefined || payload.member === undefined) {
    return undefined;
  }
  const envelope: Envelope = {
    id: payload.id,
    token: payload.token,
    applicationId: payload.application_id,
    guildId: payload.guild_id,
    channelId: payload.channel?.id ?? "",
    createdAtMs: snowflakeTimeMs(payload.id),
    actor: actor(payload.member),
    payload,
  };
  if (payload.type === InteractionType.ApplicationCommand) {
    if (payload.data.type !== ApplicationCommandType.ChatInput) {
      return undefined;
    }
    const { name, options = [], resolved = {} } = payload.data;
    const { path, leaves } = unfold(name, options);
    return { ...envelope, kind: "command", path, options: values(leaves), members: members(resolved) };
  }
  if (payload.type === InteractionType.ApplicationCommandAutocomplete) {
    const { path, leaves } = unfold(payload.data.name, payload.data.options);
    const focused = leaves.find((option) => "focused" in option && option.focused);
    const typed = focused !== undefined && "value" in focused ? String(focused.value) : "";
    return {
      ...envelope,
      kind: "autocomplete",
      path,
      options: values(leaves),
      focused: { name: focused?.name ?? "", value: typed },
    };
  }
  if (
    payload.type === InteractionType.MessageComponent &&
    payload.data.component_type === ComponentType.Button
  ) {
    const [action = "", ...rest] = payload.data.custom_id.split(":");
    return { ...envelope, kind: "button", action, arguments: rest };
  }
  return undefined;
}

function actor(member: APIInteractionGuildMember): Actor {
  const { user } = member;
  return {
    userId: user.id,
    displayName: member.nick ?? user.global_name ?? user.username,
    roleIds: member.roles,
    permissions: BigInt(member.permissions),
  };
}

/** Discord resolves every chosen user, but a member only for those who are in the guild. */
function members(resolved: {
  users?: Record<string, APIUser> | undefined;
  members?: Record<string, { nick?: string | null | undefined }> | undefined;
}): CommandInvocation["members"] {
  return new Map(
    Object.entries(resolved.users ?? {})
      .filter(([id]) => resolved.members?.[id] !== undefined)
      .map(([id, user]) => [
        id,
        {
          displayName: resolved.members?.[id]?.nick ?? user.global_name ?? user.username,
          isBot: user.bot === true,
        },
      ]),
  );
}

type Option = APIApplicationCommandInteractionDataOption<
  InteractionType.ApplicationCommand | InteractionType.ApplicationCommandAutocomplete
>;
type Leaf = APIApplicationCommandInteractionDataBasicOption<
  InteractionType.ApplicationCommand | InteractionType.ApplicationCommandAutocomplete
>;

/** Walks down groups and subcommands to the options that hold values. */
function unfold(name: string, options: Option[]): { path: string; leaves: Leaf[] } {
  const [first] = options;
  if (
    first?.type === ApplicationCommandOptionType.Subcommand ||
    first?.type === ApplicationCommandOptionType.SubcommandGroup
  ) {
    return unfold(`${name} ${first.name}`, first.options ?? []);
  }
  return { path: name, leaves: options as Leaf[] };
}

function values(leaves: Leaf[]): ReadonlyMap<string, OptionValue> {
  return new Map(leaves.map((option) => [option.name, option.value]));
}

/** A text option, trimmed; undefined when it was left out or holds nothing but blanks. */
export function textOption(
  { options }: { options: ReadonlyMap<string, OptionValue> },
  name: string,
): string | undefined {
  const value = options.get(name);
  const text = typeof value === "string" ? value.trim() : "";
  return text === "" ? undefined : text;
}

/** An integer option, or undefined when it was left out. */
export function integerOption(
  { options }: { options: ReadonlyMap<string, OptionValue> },
  name: string,
): number | undefined {
  const value = options.get(name);
  return typeof value === "number" && Number.isSafeInteger(value) ? value : undefined;
}

/** A yes-or-no option; left out means no. */
export function flagOption(
  { options }: { options: ReadonlyMap<string, OptionValue> },
  name: string,
): boolean {
  return options.get(name) === true;
}

/** The auction that an option names by id; undefined when that is no id of an auction. */
export function auctionIdOption(invocation: CommandInvocation): AuctionId | undefined {
  const text = textOption(invocation, "auction") ?? "";
  return /^a\d{1,15}$/.test(text) ? (text as AuctionId) : undefined;
}
