import type { Actor, Chaos, DiscordDriver } from "./driver.ts";

/** Methods of the driver that travel as they are: JSON in, JSON out. */
export const plainMethods = [
  "addApplication",
  "resetToken",
  "addGuild",
  "addRole",
  "addChannel",
  "setOverwrites",
  "addMember",
  "updateMember",
  "removeMember",
  "invite",
  "kick",
  "commands",
  "setCommandAccess",
  "messages",
  "journal",
  "violations",
  "invalidRequests",
  "sessions",
] as const satisfies (keyof DiscordDriver)[];

export const chaosMethods = [
  "fault",
  "disconnect",
  "reconnect",
  "invalidate",
  "freeze",
  "gatewayDown",
  "deliveries",
  "sessionStartLimit",
  "calm",
] as const satisfies (keyof Chaos)[];

/** What a member does that starts an interaction. */
export const startingActs = ["command", "button", "select", "modal"] as const satisfies (keyof Actor)[];
