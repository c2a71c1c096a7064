import { PermissionFlagsBits } from "./discord-js.ts";
import type { Actor } from "./interaction.ts";

/**
 * Whether a member may give officer commands: by one of the guild's officer roles, or because they run the server
 * anyway (its owner has every permission in what Discord sends).
 */
export function isOfficer(actor: Actor, officerRoles: readonly string[]): boolean {
  const runsServer = PermissionFlagsBits.Administrator | PermissionFlagsBits.ManageGuild;
  return (actor.permissions & runsServer) !== 0n || actor.roleIds.some((role) => officerRoles.includes(role));
}

/** What somebody is told who is not. */
export function notAnOfficer(officerRoles: readonly string[]): string {
  const roles = officerRoles.map((role) => `<@&${role}>`).join(", ");
  return officerRoles.length === 0
    ? "This is for officers: ask somebody who manages this server, or have them name officer roles with `/dkp-admin config set`."
    : `This is for officers (${roles}): ask one of them.`;
}
