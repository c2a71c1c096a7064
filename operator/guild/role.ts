import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { type Child, child } from "./child.ts";
import { childNames } from "./names.ts";
import { roleBindings, roles } from "./resources.ts";

/** What a bot may do: its own Lease and its own report, by name. Both exist already, since create cannot be limited by name. */
export function role(guild: DkpGuild): Child {
  const names = childNames(guild.metadata.name);
  return child(
    guild,
    roles,
    { name: names.bot, owned: true },
    {
      rules: [
        {
          apiGroups: ["coordination.k8s.io"],
          resources: ["leases"],
          resourceNames: [names.lease],
          verbs: ["get", "list", "watch", "update", "patch"],
        },
        {
          apiGroups: [""],
          resources: ["configmaps"],
          resourceNames: [names.report],
          verbs: ["get", "update", "patch"],
        },
      ],
    },
  );
}

/** Gives the Role to the bot's ServiceAccount. */
export function roleBinding(guild: DkpGuild): Child {
  const { bot } = childNames(guild.metadata.name);
  return child(
    guild,
    roleBindings,
    { name: bot, owned: true },
    {
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: bot },
      subjects: [{ kind: "ServiceAccount", name: bot, namespace: guild.metadata.namespace }],
    },
  );
}
