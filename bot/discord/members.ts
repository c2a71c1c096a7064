import type { DiscordAccount } from "../store/request.ts";
import type { Surroundings } from "./command.ts";
import { textOption, type Actor, type CommandInvocation } from "./interaction.ts";
import { mention } from "./text.ts";

/** At most so many members in one award: more do not fit into one readable answer. */
const limit = 80;

/**
 * The members that a command names: its `member` option and every mention in its `members` option, each once, in the
 * order named. A sentence instead when somebody is not in the guild, is a bot, or the text holds more than mentions.
 */
export async function namedMembers(
  invocation: CommandInvocation,
  surroundings: Surroundings,
): Promise<DiscordAccount[] | { sentence: string }> {
  const accounts = new Map<string, DiscordAccount>();
  const single = invocation.options.get("member");
  if (typeof single === "string") {
    const found = chosenMember(invocation, "member");
    if (found === undefined || "sentence" in found) {
      return found ?? { sentence: "Choose a member." };
    }
    accounts.set(found.discordId, found);
  }
  const text = textOption(invocation, "members") ?? "";
  const mentioned = text.match(/(?<=<@!?)\d{17,20}(?=>)/g) ?? [];
  const rest = text.replaceAll(/<@!?\d{17,20}>/g, "").replaceAll(/[\s,;]+/g, "");
  if (rest !== "") {
    return { sentence: "`members` takes mentions only: write @ and choose each member from the list." };
  }
  const others = [...new Set(mentioned)].filter((discordId) => !accounts.has(discordId));
  if (accounts.size + others.length > limit) {
    return { sentence: `That names more than ${limit} members: split it up.` };
  }
  const found = await Promise.all(others.map((discordId) => surroundings.account(discordId)));
  const stranger = others.find((_, index) => found[index] === undefined);
  if (stranger !== undefined) {
    return { sentence: strangerText(stranger) };
  }
  return [...accounts.values(), ...found.filter((account) => account !== undefined)];
}

/** The member that a user option names; undefined when the option was left out. */
export function chosenMember(
  invocation: CommandInvocation,
  option: string,
): DiscordAccount | { sentence: string } | undefined {
  const discordId = invocation.options.get(option);
  if (typeof discordId !== "string") {
    return undefined;
  }
  const member = invocation.members.get(discordId);
  if (member === undefined) {
    return { sentence: strangerText(discordId) };
  }
  if (member.isBot) {
    return { sentence: `${mention(discordId)} is a bot and cannot hold points: choose a person.` };
  }
  return { discordId, name: member.displayName };
}

function strangerText(discordId: string): string {
  return `${mention(discordId)} is not a member of this server: choose somebody who is.`;
}

/** The account of whoever gave the command. */
export function account(actor: Actor): DiscordAccount {
  return { discordId: actor.userId, name: actor.displayName };
}
