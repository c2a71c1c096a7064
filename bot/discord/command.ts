import type { APIApplicationCommandBasicOption, APIApplicationCommandOptionChoice } from "discord.js";
import type { Command as LedgerCommand, ConfiguredRestore } from "../ledger/command.ts";
import type { Outcome } from "../ledger/decision.ts";
import type { Refusal } from "../ledger/refusal.ts";
import type { OutgoingCall } from "../store/call.ts";
import type { Database } from "../store/database.ts";
import type { Queried } from "../store/reader.ts";
import type { DiscordAccount, GuildLedger, Making, View } from "../store/request.ts";
import type { AutocompleteInvocation, ButtonInvocation, CommandInvocation } from "./interaction.ts";
import type { MessageBody } from "./message.ts";

/** What commands may look at. */
export type Surroundings = {
  ledger: GuildLedger;
  guildId: string;
  /** Who a mentioned Discord id is: known to the ledger or, asked from Discord, a member of the guild; undefined otherwise. */
  account(discordId: string): Promise<DiscordAccount | undefined>;
  database: Database;
  /** Runs a pure query of what this replica knows, on a standby if one is there and has it. It may run twice. */
  read<Result>(query: (from: Queried) => Promise<Result>): Promise<Result>;
  /** The restore that the configuration names. */
  restore(): ConfiguredRestore | undefined;
  now(): number;
};

/** The other calls that an outcome owes besides its answer: posts and edits of remembered messages. */
export type Announcement = Extract<OutgoingCall, { kind: "post" | "edit" }>;

/** What is shown for an accepted change. */
type Shown = { reply: MessageBody; announcements?: Announcement[] };

/** A change to the ledger: decided, stored and answered as one. Both functions are pure, for a lost race calls them again. */
export type Change = {
  command(making: Making): LedgerCommand | { readonly refusal: Refusal };
  shown(outcome: Outcome, view: View): Shown;
  /** A refusal that offers more than its sentence, such as a button to go on; undefined for the plain sentence. */
  refused?(refusal: Refusal, view: View): MessageBody | undefined;
};

/**
 * What a command comes to: a change, an answer that was only looked up, or a sentence that says why not. Looking up may
 * wait for the database; making a change may not.
 */
export type Doing =
  | { kind: "change"; change: Change }
  | { kind: "answer"; answer(): Promise<MessageBody> }
  | { kind: "denied"; sentence: string };

type Shared<Invocation> = {
  /** Officers are checked in code, for Discord's own permissions can be overridden per guild. */
  audience: "everyone" | "officers";
  /** Answers that change nothing but explain how things stand remain available in maintenance. */
  inMaintenance?: boolean;
  execute(invocation: Invocation, surroundings: Surroundings): Doing | Promise<Doing>;
};

export type SlashCommand = Shared<CommandInvocation> & {
  /** Full name: command, group if any, and subcommand. */
  path: string;
  description: string;
  options: APIApplicationCommandBasicOption[];
  /** Whether only the member sees the answer: fixed by the first answer, so it depends on nothing but the invocation. */
  ephemeral(invocation: CommandInvocation): boolean;
  autocomplete?(
    invocation: AutocompleteInvocation,
    surroundings: Surroundings,
  ): Promise<APIApplicationCommandOptionChoice[]>;
};

/** A button edits the message that it belongs to. */
export type ButtonCommand = Shared<ButtonInvocation> & { action: string };

/** Most answers concern one member only. */
export function always(): boolean {
  return true;
}

/** A sentence instead of a deed. */
export function denied(sentence: string): Doing {
  return { kind: "denied", sentence };
}

/** What is said when an option does not name an auction at all. */
export const noSuchAuction: Doing = denied(
  "There is no such auction: choose one from the list, or see `/auction list`.",
);
