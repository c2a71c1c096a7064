import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { apiVersionOf } from "../../runtime/kube/object.ts";
import { guilds } from "../guild/resources.ts";
import type { Call, Command } from "./command.ts";
import { namedGuild } from "./read.ts";

export const fieldManager = "kubectl-dkp";

/** Who keeps objects as Git has them, by the names under which they write. */
const keepers =
  /^(kustomize-controller|helm-controller|argocd-controller|argocd-application-controller|flux)/;

function keeperOf(guild: DkpGuild & { metadata: { managedFields?: unknown[] } }): string | undefined {
  const managers = (guild.metadata.managedFields ?? []) as { manager?: string }[];
  return managers.map(({ manager = "" }) => manager).find((manager) => keepers.test(manager));
}

async function setSuspend(call: Call, suspend: boolean): Promise<number> {
  const { client, terminal } = call;
  const guild = await namedGuild(call);
  const { name, namespace, uid } = guild.metadata;
  const keeper = keeperOf(guild);
  const done = suspend ? "paused" : "resumed";
  if (guild.spec.suspend === suspend) {
    terminal.say(`dkpguild/${name} is ${suspend ? "paused" : "not paused"} already`);
    return 0;
  }
  // Bound to the uid, so that a guild that has just been deleted is not made anew.
  await client.apply(
    guilds,
    {
      apiVersion: apiVersionOf(guilds),
      kind: guilds.kind,
      metadata: { name, namespace, uid },
      spec: { suspend },
    },
    { fieldManager },
  );
  terminal.say(`dkpguild/${name} ${done}`);
  if (suspend)
    terminal.note("The operator changes nothing about it until it is resumed; its pods go on running.");
  if (keeper !== undefined)
    terminal.note(
      `${keeper} keeps this guild as Git has it: say spec.suspend: ${suspend} there too, or it may be set back at the next round.`,
    );
  return 0;
}

export const pause: Command = {
  summary: "have the operator leave a guild alone (spec.suspend)",
  synopsis: "GUILD",
  positionals: [1, 1],
  details: `Pods go on running. Sets spec.suspend by server-side apply as ${fieldManager}. Where Flux or Argo CD keep the guild as Git has it, set it\nin Git instead, or they may set it back.`,
  options: {},
  run: (call) => setSuspend(call, true),
};

export const resume: Command = {
  summary: "have the operator look after a paused guild again",
  synopsis: "GUILD",
  positionals: [1, 1],
  details:
    "What was changed by hand meanwhile is put back; `kubectl dkp plan GUILD` shows beforehand what that is.",
  options: {},
  run: (call) => setSuspend(call, false),
};
