import type {
  APIApplicationCommandIntegerOption,
  APIApplicationCommandStringOption,
  APIApplicationCommandUserOption,
} from "discord.js";
import { ApplicationCommandOptionType } from "../discord-js.ts";

/** Discord's limit for names and values of choices. */
export const choiceLimit = 100;
/** Discord offers at most so many choices. */
export const choiceCount = 25;

/** An amount is text, for Discord's numbers are floating point. */
export function amountOption(description: string): APIApplicationCommandStringOption {
  return {
    type: ApplicationCommandOptionType.String,
    name: "amount",
    description,
    required: true,
    min_length: 1,
    max_length: 20,
  };
}

export const poolOption: APIApplicationCommandStringOption = {
  type: ApplicationCommandOptionType.String,
  name: "pool",
  description: "The pool of points; the guild's first pool when left out",
  max_length: 32,
  autocomplete: true,
};

export const reasonOption: APIApplicationCommandStringOption = {
  type: ApplicationCommandOptionType.String,
  name: "reason",
  description: "What it is for; shown in the history",
  max_length: 200,
};

export const memberOption: APIApplicationCommandUserOption = {
  type: ApplicationCommandOptionType.User,
  name: "member",
  description: "The member",
};

export const membersOption: APIApplicationCommandStringOption = {
  type: ApplicationCommandOptionType.String,
  name: "members",
  description: "Several members: mention each of them",
  max_length: 3000,
};

export const auctionOption: APIApplicationCommandStringOption = {
  type: ApplicationCommandOptionType.String,
  name: "auction",
  description: "The auction",
  required: true,
  max_length: choiceLimit,
  autocomplete: true,
};

export const entryOption: APIApplicationCommandIntegerOption = {
  type: ApplicationCommandOptionType.Integer,
  name: "entry",
  description: "The number of the entry, as /dkp history shows it",
  required: true,
  min_value: 1,
  autocomplete: true,
};
