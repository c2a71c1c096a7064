/** What differs between guilds, by the names that stand for it in templates. */
export type Facts = {
  name: string;
  namespace: string;
  uid: string;
  guildId: string;
  minimumBid: string;
  generation: string;
  since: string;
  /** The beginning of the uid of the guild's Cluster. */
  cluster: string;
};

/** A template's text with a guild's facts in the place of the placeholders. */
export function fill(text: string, facts: Facts): string {
  return text.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => facts[name as keyof Facts]);
}
