import { createHash } from "node:crypto";
import type { KubeClient } from "../runtime/kube/client.ts";
import { type KubeObject, type ObjectRef, objectKey } from "../runtime/kube/object.ts";
import { secrets } from "./guild/resources.ts";

/** A Secret without its values: by key a short hash of each, which tells whether two are the same and nothing else. */
type SecretFacts = { keys: ReadonlyMap<string, string>; object: KubeObject };

/** How long to believe that a Secret is still there: where all goes well, or as expected, longer than where something is amiss. */
export type Trust = "well" | "amiss";

/**
 * Looks at Secrets one by one, since nobody here may list or watch them. What was there is believed for a while; what was missing is
 * looked for again each time. Values are never kept.
 */
export type SecretReader = {
  look(ref: ObjectRef, trust: Trust): Promise<SecretFacts | undefined>;
  /** Takes in what was just written. */
  remember(written: KubeObject): void;
  forget(ref: ObjectRef): void;
};

export function secretReader(options: {
  client: KubeClient;
  clock: () => number;
  /** How long what was there is believed, in milliseconds. */
  memoryMs: Record<Trust, number>;
}): SecretReader {
  const { client, clock, memoryMs } = options;
  const seen = new Map<string, { facts: SecretFacts; atMs: number }>();
  return {
    forget: (ref) => void seen.delete(objectKey(ref)),
    remember: (written) =>
      void seen.set(objectKey(written.metadata), { facts: withoutValues(written), atMs: clock() }),
    async look(ref, trust) {
      const key = objectKey(ref);
      const known = seen.get(key);
      if (known !== undefined && clock() - known.atMs < memoryMs[trust]) return known.facts;
      seen.delete(key);
      const live = await client.get(secrets, ref);
      if (live === undefined) return undefined;
      const facts = withoutValues(live);
      seen.set(key, { facts, atMs: clock() });
      return facts;
    },
  };
}

function withoutValues({ apiVersion, kind, metadata, ...rest }: KubeObject): SecretFacts {
  const { managedFields: _fields, annotations: _annotations, ...named } = metadata;
  const data = (rest["data"] ?? {}) as Record<string, string>;
  return {
    keys: new Map(Object.entries(data).map(([key, value]) => [key, fingerprint(value)])),
    object: { apiVersion, kind, metadata: named },
  };
}

/** Twelve hexadecimal digits of the SHA-256 of a value, given in base64. Nobody guesses a random token from them. */
function fingerprint(value: string): string {
  return createHash("sha256").update(Buffer.from(value, "base64")).digest("hex").slice(0, 12);
}
