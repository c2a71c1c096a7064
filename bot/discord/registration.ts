import type { REST } from "discord.js";
import { Routes } from "./discord-js.ts";
import { commandDefinitions, definitionsHash } from "./catalog.ts";

export type Registration = {
  state: "Registered" | "Pending" | "Failed";
  hash: string;
  count: number;
  message: string;
};

/** What is reported before anything was tried. */
export function pendingRegistration(): Registration {
  const definitions = commandDefinitions();
  return { state: "Pending", hash: definitionsHash(definitions), count: definitions.length, message: "" };
}

/**
 * Makes Discord list exactly our commands in the guild. Reads first and writes only what differs, for Discord counts the
 * commands created in a day. Throws what the REST client throws.
 */
export async function registerCommands(
  rest: REST,
  applicationId: string,
  guildId: string,
): Promise<Registration & { written: boolean }> {
  const definitions = commandDefinitions();
  const hash = definitionsHash(definitions);
  const route = Routes.applicationGuildCommands(applicationId, guildId);
  const listed = (await rest.get(route)) as unknown[];
  const written = definitionsHash(listed) !== hash;
  if (written) {
    await rest.put(route, { body: definitions });
  }
  return { state: "Registered", hash, count: definitions.length, message: "", written };
}
