import fc from "fast-check";
import { expect, test } from "vitest";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { appliedAnnotation, belongsTo } from "../../operator/guild/child.ts";
import { imageAnnotation } from "../../operator/guild/deployment.ts";
import { footprint } from "../../operator/guild/footprint.ts";
import { guildIdLabel, guildLabel, managedByLabel, operatorName } from "../../operator/guild/names.ts";
import { emptied, shelled, unshelled, wordsOf } from "../../operator/guild/shell.ts";

type Given = { kind?: string; name?: string; guildId?: string; uid?: string; wish?: string; fields?: object };

/** A child as the API server holds it. */
function child(given: Given = {}): KubeObject {
  const {
    kind = "Role",
    name = "night",
    guildId = "123456789012345678",
    uid = "owner-1",
    wish = "abc",
  } = given;
  const owner = { apiVersion: "dkp.dev/v1alpha1", kind: "DkpGuild", name, uid, controller: true };
  return {
    apiVersion: "v1",
    kind,
    metadata: {
      name: `${name}-bot`,
      namespace: "raids",
      uid: "child-1",
      resourceVersion: "7",
      generation: 2,
      creationTimestamp: "2026-01-01T00:00:00Z",
      labels: { [managedByLabel]: operatorName, [guildLabel]: name, [guildIdLabel]: guildId, more: "x" },
      annotations: { [appliedAnnotation]: wish, [imageAnnotation]: "bot:1", theirs: "\u0001 and \\u0002" },
      ownerReferences: [owner],
      finalizers: ["a/b"],
    },
    ...given.fields,
  };
}

test("a shell gives back what it came from, whatever names and texts have in common", () => {
  const word = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?$/);
  const given = fc.record({ name: word, guildId: fc.stringMatching(/^\d{1,20}$/), uid: word, wish: word });
  const fields = fc.record({ rules: fc.jsonValue(), data: fc.dictionary(fc.string(), fc.string()) });
  fc.assert(
    fc.property(given, fields, (facts, rest) => {
      const live = JSON.parse(JSON.stringify(child({ ...facts, fields: rest }))) as KubeObject;
      const shell = shelled(structuredClone(live));
      expect(wordsOf(shell)).toEqual(expect.any(String));
      expect(unshelled(shell)).toEqual(live);
      expect(shelled(shell)).toBe(shell);
    }),
  );
});

const rules = (name: string) => ({ rules: [{ resourceNames: [`${name}-leader`, `${name}-report`] }] });

test("guilds that differ in names, ids and hashes alone share one text", () => {
  const night = shelled(child({ name: "night", fields: rules("night") }));
  const day = shelled(
    child({ name: "day", guildId: "9", uid: "owner-2", wish: "def", fields: rules("day") }),
  );
  expect(wordsOf(day)).toBe(wordsOf(night));
  expect(unshelled(day)).toMatchObject({ metadata: { name: "day-bot" }, ...rules("day") });
});

test("a shell says whose it is, which version, whether it goes, and what it was applied for", () => {
  const live = child({ fields: { rules: [] } });
  live.metadata.deletionTimestamp = "2026-01-02T00:00:00Z";
  const shell = shelled(live);
  const guild = { metadata: { name: "night", namespace: "raids", uid: "owner-1" }, spec: { guildId: "1" } };
  expect(belongsTo(guild, shell)).toBe(true);
  const { uid, resourceVersion, deletionTimestamp, annotations } = live.metadata;
  expect(shell.metadata).toMatchObject({ uid, resourceVersion, deletionTimestamp });
  expect(shell.metadata.annotations?.[appliedAnnotation]).toBe(annotations?.[appliedAnnotation]);
  expect(shell.metadata.annotations?.[imageAnnotation]).toBe("bot:1");
  expect(shell).not.toHaveProperty("rules");
});

test("of a Deployment its status stays, and what its pods request", () => {
  const resources = { requests: { cpu: "50m", memory: "128Mi" } };
  const containers = [{ name: "bot", image: "bot:1", resources }];
  const fields = { spec: { replicas: 2, template: { spec: { containers } } }, status: { readyReplicas: 2 } };
  const live = child({ kind: "Deployment", fields });
  const shell = shelled(structuredClone(live));
  expect(JSON.stringify(shell["spec"])).not.toContain("bot:1");
  expect(shell["status"]).toEqual({ readyReplicas: 2 });
  expect(footprint([shell])).toEqual(footprint([live]));
  expect(unshelled(shell)).toEqual(live);
});

test.each([
  ["of another kind", child({ kind: "Cluster" })],
  ["that somebody else fills", { ...child(), metadata: { name: "night-report", annotations: {} } }],
])("what is %s stays as it is", (_, live) => {
  expect(shelled(live)).toBe(live);
  expect(unshelled(live)).toBe(live);
});

test("an emptied shell keeps no text, and is not taken for a whole object to be shelled again", () => {
  const shell = emptied(child({ fields: { rules: [1] } }));
  expect(shell && wordsOf(shell)).toBe("");
  expect(shell && shelled(shell)).toBe(shell);
  expect(emptied(child({ kind: "Cluster" }))).toBeUndefined();
});
