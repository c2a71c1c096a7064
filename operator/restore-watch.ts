import type { DkpRestore } from "../crds/dkp-restore.ts";
import { objectCache } from "../runtime/kube/cache.ts";
import type { KubeClient } from "../runtime/kube/client.ts";
import { type KubeObject, objectKey } from "../runtime/kube/object.ts";
import { type Reflector, reflect } from "../runtime/kube/reflector.ts";
import type { Logger } from "../runtime/log.ts";
import { restores } from "./guild/resources.ts";

type RestoreObject = DkpRestore & KubeObject;

/** The DkpRestores that there are. */
export type RestoreWatch = {
  /** Those of a guild, by its `namespace/name`. */
  of(guildKey: string): readonly DkpRestore[];
  /** Whether they can be known: false where their kind is missing. */
  known(): boolean;
  /** Takes in the answer of an own write, so that its echo wakes nobody. */
  remember(restore: KubeObject): void;
  reflector: Reflector;
};

/** Watches DkpRestores. A change of one is something that happened to its guild. */
export function watchRestores(options: {
  client: KubeClient;
  namespaces: readonly string[];
  onGuild: (key: string) => void;
  log: Logger;
}): RestoreWatch {
  const cache = objectCache<RestoreObject>({ indexes: { guild: (restore) => [guildOf(restore)] } });
  const reflector = reflect({
    client: options.client,
    namespaces: options.namespaces,
    log: options.log,
    resource: restores,
    cache,
    onChange: ({ object }) => options.onGuild(guildOf(object)),
  });
  return {
    of: (guildKey) => cache.byIndex("guild", guildKey),
    known: () => reflector.state() !== "absent",
    remember: (restore) => cache.remember(restore as RestoreObject),
    reflector,
  };
}

function guildOf({ metadata, spec }: DkpRestore): string {
  return objectKey({ namespace: metadata.namespace, name: spec.guildRef.name });
}
