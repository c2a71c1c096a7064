import { type DkpGuild, specSchema } from "../../crds/dkp-guild.ts";

/** A DkpGuild as the API server hands it out, defaults filled in, for what needs no API server. */
export function liveGuild(metadata: Partial<DkpGuild["metadata"]> = {}, spec: object = {}): DkpGuild {
  const { name = "watch" } = metadata;
  return {
    apiVersion: "dkp.dev/v1alpha1",
    kind: "DkpGuild",
    metadata: {
      name,
      namespace: "space",
      uid: name,
      resourceVersion: "1",
      generation: 1,
      creationTimestamp: "2030-01-01T00:00:00Z",
      ...metadata,
    },
    spec: specSchema.parse({
      guildId: "123456789012345678",
      discord: { tokenSecretRef: { name: "token" } },
      ...spec,
    }),
  };
}
