import { stringify } from "yaml";
import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { type Child, child } from "./child.ts";
import { restoreOf } from "./incarnation.ts";
import { childNames } from "./names.ts";
import { configMaps } from "./resources.ts";

/** `config.yaml` of the bot, which watches the mounted file: a change of rules or mode restarts nothing. */
export function configuration(guild: DkpGuild, cluster: KubeObject | undefined): Child {
  const restore = restoreOf(cluster);
  const { config } = childNames(guild.metadata.name);
  const { mode, maintenance, rules } = guild.spec;
  const content = yaml({
    mode,
    ...(maintenance === undefined ? {} : { maintenance }),
    ...(restore === undefined ? {} : { restore }),
    rules: rules ?? {},
  });
  return child(guild, configMaps, { name: config, owned: true }, { data: { "config.yaml": content } });
}

/** Texts by what they say: making one takes longer than all the rest of a guild's children, and a guild is looked at several times. */
const texts = new Map<string, string>();
const remembered = 1_000;

function yaml(content: object): string {
  const key = JSON.stringify(content);
  const known = texts.get(key);
  if (known !== undefined) return known;
  const [oldest] = texts.size < remembered ? [] : texts.keys();
  if (oldest !== undefined) texts.delete(oldest);
  const text = stringify(content);
  texts.set(key, text);
  return text;
}

/** Where the bot's leader reports. Made empty; its data is the bot's. */
export function report(guild: DkpGuild): Child {
  const { report: name } = childNames(guild.metadata.name);
  return child(guild, configMaps, { name, owned: true, upkeep: "once" }, {});
}
