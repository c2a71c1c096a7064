import type { DkpGuild } from "../../crds/dkp-guild.ts";

export const guildLabel = "dkp.dev/guild";
export const guildIdLabel = "dkp.dev/guild-id";
export const managedByLabel = "app.kubernetes.io/managed-by";
export const operatorName = "dkp-operator";

/** Every child carries these two, so that one list and one watch a kind finds them all. */
export const childSelector = `${managedByLabel}=${operatorName},${guildLabel}`;

/** Names of a guild's children; with names of at most 40 characters all of them fit 63. */
export function childNames(guild: string) {
  return {
    bot: `${guild}-bot`,
    config: `${guild}-config`,
    report: `${guild}-report`,
    runtime: `${guild}-runtime`,
    cluster: `${guild}-db`,
    owner: `${guild}-owner`,
    developer: `${guild}-db-developer`,
    service: `${guild}-internal`,
    lease: `${guild}-leader`,
  };
}

/** Labels that say which guild something belongs to. */
export function identityLabels(guild: DkpGuild): Record<string, string> {
  return {
    "app.kubernetes.io/part-of": operatorName,
    [managedByLabel]: operatorName,
    [guildLabel]: guild.metadata.name,
    [guildIdLabel]: guild.spec.guildId,
  };
}

/** Labels that the pods of the bot and of its migration have in common. */
export function podSelector(guild: string): Record<string, string> {
  return { "app.kubernetes.io/name": "dkp-bot", "app.kubernetes.io/instance": guild };
}

/** Labels by which the bot's pods are found. They never change, because a Deployment's selector cannot. */
export function botSelector(guild: string): Record<string, string> {
  return { ...podSelector(guild), "app.kubernetes.io/component": "bot" };
}

/** Labels of the migration Job's pods. */
export function migrationSelector(guild: string): Record<string, string> {
  return { ...podSelector(guild), "app.kubernetes.io/component": "migrate" };
}

/** Labels as a selector string. */
export function selectorText(labels: Record<string, string>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(",");
}
