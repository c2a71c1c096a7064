import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { KubeClient } from "../../runtime/kube/client.ts";
import { isKubeError } from "../../runtime/kube/error.ts";
import { type KubeObject, objectKey } from "../../runtime/kube/object.ts";
import { environmentSchema, guildSettings } from "../config.ts";
import { belongsTo, childKey } from "../guild/child.ts";
import { childNames, guildLabel, operatorName, selectorText } from "../guild/names.ts";
import { deployments, leases } from "../guild/resources.ts";
import type { GuildSettings } from "../guild/settings.ts";
import type { Senses } from "../observe.ts";
import { secretReader } from "../secrets.ts";
import { watched } from "../world.ts";
import { Failure } from "./command.ts";
import { allGuilds, listKnown } from "./read.ts";

type OperatorDeployment = KubeObject & {
  spec?: {
    template?: { spec?: { containers?: { name: string; env?: { name: string; value?: string }[] }[] } };
  };
};

/** The settings of the operator that runs in this cluster, from its Deployment. */
export async function operatorSettings(client: KubeClient): Promise<GuildSettings> {
  const labelSelector = `app.kubernetes.io/name=${operatorName}`;
  const found = (await listKnown<OperatorDeployment>(client, deployments, { labelSelector })) ?? [];
  const container = found[0]?.spec?.template?.spec?.containers?.find(({ name }) => name === "operator");
  if (container === undefined)
    throw new Failure(
      `No Deployment with the label ${labelSelector} runs here, so nobody knows the operator's settings.`,
    );
  const given = Object.fromEntries((container.env ?? []).map(({ name, value = "" }) => [name, value]));
  const plain = Object.entries(given).filter(([, value]) => value !== "");
  // Those two come from the pod itself and say nothing about guilds.
  const parsed = environmentSchema.safeParse({
    POD_NAME: "-",
    POD_NAMESPACE: "-",
    ...Object.fromEntries(plain),
  });
  if (parsed.success) return guildSettings(parsed.data);
  const names = parsed.error.issues.map(({ path }) => path.join(".")).join(", ");
  throw new Failure(
    `The operator's Deployment has an environment that is not understood here (${names}): is this kubectl-dkp of another version?`,
  );
}

/** What the operator would see of a guild now, read afresh with the caller's own rights. */
export async function sensesFor(client: KubeClient, guild: DkpGuild, clock: () => number): Promise<Senses> {
  const { namespace, name } = guild.metadata;
  const labelSelector = selectorText({ [guildLabel]: name });
  const [lists, everyGuild, lease] = await Promise.all([
    Promise.all(watched.map((resource) => listKnown(client, resource, { namespace, labelSelector }))),
    guildsInReach(client, namespace),
    client.get(leases, { namespace, name: childNames(name).lease }),
  ]);
  const all = lists.flatMap((list) => list ?? []);
  const others = everyGuild.filter((other) => objectKey(other.metadata) !== objectKey(guild.metadata));
  return {
    client,
    clock,
    secrets: secretReader({ client, clock, memoryMs: { well: 60_000, amiss: 60_000 } }),
    leases: { leaseOf: () => (lease !== undefined && belongsTo(guild, lease) ? lease : undefined) },
    world: {
      guildsOf: (guildId) => others.filter(({ spec }) => spec.guildId === guildId),
      // One look tells nobody else.
      noteToken: () => undefined,
      guildsWithToken: (hash) => others.filter(({ status }) => status?.tokenHash === hash),
      absentKinds: () =>
        new Set(watched.filter((_, index) => lists[index] === undefined).map(({ kind }) => kind)),
      children: () => ({
        own: new Map(
          all.filter((object) => belongsTo(guild, object)).map((object) => [childKey(object), object]),
        ),
        foreign: all.filter((object) => !belongsTo(guild, object)),
      }),
    },
  };
}

/** All guilds, for conflicts between them; those of one namespace where the caller may see no others. */
async function guildsInReach(client: KubeClient, namespace: string): Promise<DkpGuild[]> {
  try {
    return await allGuilds(client, undefined);
  } catch (error) {
    if (isKubeError(error, 403)) return allGuilds(client, namespace);
    throw error;
  }
}
