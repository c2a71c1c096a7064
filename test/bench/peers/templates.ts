import type { DkpGuild } from "../../../crds/dkp-guild.ts";
import { type Child, appliedAnnotation } from "../../../operator/guild/child.ts";
import { desired } from "../../../operator/guild/desired.ts";
import { guilds } from "../../../operator/guild/resources.ts";
import { status } from "../../../operator/guild/status.ts";
import { apiVersionOf } from "../../../runtime/kube/object.ts";
import { settings } from "../settings.ts";
import { allDone, unobserved } from "./observed.ts";

/** One child as JSON with placeholders, and what has to be true before it is made. */
export type Template = {
  gate: "none" | "database" | "migration";
  /** Made when it is missing and never written again. */
  once: boolean;
  apiVersion: string;
  kind: string;
  plural: string;
  name: string;
  text: string;
};

/** What a peer is told of a guild: its children in the operator's order and its status when all is well. */
export type Templates = { children: Template[]; status: string };

// Numbers and a time that nothing else holds: as text they could not stand where a number is wanted.
const minimumBid = 123_454_321;
const generation = 987_656_789;
const nowMs = Date.UTC(2001, 1, 3, 4, 5, 6);

/** The children of `guild` by the operator's own builders, with placeholders for what differs between guilds. */
export function templates(guild: DkpGuild): Templates {
  const general: DkpGuild = {
    ...guild,
    metadata: { ...guild.metadata, name: "{{name}}", namespace: "{{namespace}}", uid: "{{uid}}", generation },
    spec: {
      ...guild.spec,
      guildId: "{{guildId}}",
      discord: { tokenSecretRef: { key: "token", name: "{{name}}-discord" } },
      rules: { ...guild.spec.rules, auctions: { ...guild.spec.rules?.auctions, minimumBid } },
    },
  };
  delete general.status;
  const observation = { ...unobserved(), nowMs };
  const named = { apiVersion: "postgresql.cnpg.io/v1", kind: "Cluster", metadata: { name: "{{name}}-db" } };
  const cluster = { ...named, metadata: { ...named.metadata, uid: "any" } };
  const children = desired(general, settings, observation, allDone(general, cluster), () => "placeholder");
  const { name, namespace } = general.metadata;
  const reported = {
    apiVersion: apiVersionOf(guilds),
    kind: guilds.kind,
    metadata: { name, namespace },
    status: status(general, observation, allDone(general, { ...named, spec: { instances: 3 } })),
  };
  return { children: children.map(template), status: withPlaceholders(reported) };
}

function template({ resource, upkeep, object }: Child): Template {
  const { [appliedAnnotation]: _hash, ...annotations } = object.metadata.annotations ?? {};
  // A hash of what the guild's placeholders stand for; another migration for another database is all that it has to say.
  const name = resource.kind === "Job" ? "{{name}}-migrate-{{cluster}}" : object.metadata.name;
  const metadata = {
    ...object.metadata,
    name,
    ...(Object.keys(annotations).length === 0 ? { annotations: undefined } : { annotations }),
  };
  return {
    gate: resource.kind === "Job" ? "database" : resource.kind === "Deployment" ? "migration" : "none",
    once: upkeep === "once",
    apiVersion: object.apiVersion,
    kind: object.kind,
    plural: resource.plural,
    name,
    text: withPlaceholders({ ...object, metadata }),
  };
}

function withPlaceholders(object: object): string {
  return JSON.stringify(object)
    .replaceAll(String(minimumBid), "{{minimumBid}}")
    .replaceAll(String(generation), "{{generation}}")
    .replaceAll(`${new Date(nowMs).toISOString().slice(0, 19)}Z`, "{{since}}");
}
