import { readFile } from "node:fs/promises";
import type { DkpGuild } from "../../../crds/dkp-guild.ts";
import { covers } from "../../../operator/guild/covers.ts";
import { guildLabel } from "../../../operator/guild/names.ts";
import * as kinds from "../../../operator/guild/resources.ts";
import type { KubeClient } from "../../../runtime/kube/client.ts";
import type { KubeObject } from "../../../runtime/kube/object.ts";
import { guildName, namespace } from "../api-server.ts";
import { type Facts, fill } from "../peers/placeholders.ts";
import type { Template, Templates } from "../peers/templates.ts";
import type { Arena } from "./arena.ts";

/** Throws when the first, the middle or the last guild lacks something of what everybody has to make: nobody wins by doing less. */
export async function verify({ server, templates }: Arena, guilds: number): Promise<void> {
  const { children } = JSON.parse(await readFile(templates, "utf8")) as Templates;
  for (const index of new Set([0, Math.floor(guilds / 2), guilds - 1])) {
    const facts = await factsOf(server.admin, guildName(index));
    for (const child of children) {
      const live = await found(server.admin, child, facts);
      const { stringData: _, ...wanted } = JSON.parse(fill(child.text, facts)) as KubeObject;
      // Its name holds a hash that the operator makes in its own way.
      if (child.kind === "Job") wanted.metadata.name = live?.metadata.name ?? "";
      const odd = lacking(live, wanted, child.kind);
      if (odd !== undefined) throw new Error(`${facts.name}: ${odd}`);
    }
  }
}

function isFields(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The first field that is not as it should be, with both values. */
function lacking(live: unknown, wanted: unknown, path: string): string | undefined {
  if (covers(live, wanted, path.slice(path.lastIndexOf(".") + 1))) return undefined;
  if (!isFields(live) || !isFields(wanted))
    return `${path} is ${JSON.stringify(live)} instead of ${JSON.stringify(wanted)}`;
  const fields = live as Record<string, unknown>;
  return Object.entries(wanted as object)
    .map(([name, value]) => lacking(fields[name], value, `${path}.${name}`))
    .find((odd) => odd !== undefined);
}

async function found(
  admin: KubeClient,
  { apiVersion, kind, plural, name }: Template,
  facts: Facts,
): Promise<KubeObject | undefined> {
  const [version = "", group = ""] = apiVersion.split("/").toReversed();
  const resource = { group, version, kind, plural, namespaced: true };
  if (kind !== "Job") return admin.get(resource, { namespace, name: fill(name, facts) });
  const labelSelector = `${guildLabel}=${facts.name}`;
  return (await admin.list(resource, { namespace, labelSelector })).items[0];
}

async function factsOf(admin: KubeClient, name: string): Promise<Facts> {
  const guild = await admin.get<DkpGuild & KubeObject>(kinds.guilds, { namespace, name });
  if (guild?.status?.phase !== "Ready") throw new Error(`${name} is not Ready`);
  const { uid, generation } = guild.metadata;
  const { guildId, rules } = guild.spec;
  return {
    name,
    namespace,
    uid,
    guildId,
    minimumBid: String(rules?.auctions?.minimumBid),
    generation: String(generation),
    since: "",
    cluster: "",
  };
}
