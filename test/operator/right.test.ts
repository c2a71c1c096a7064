import { expect, test } from "vitest";
import type { KubeObject } from "../../runtime/kube/object.ts";
import { appliedAnnotation } from "../../operator/guild/child.ts";
import { footprint } from "../../operator/guild/footprint.ts";
import { compared, isRight } from "../../operator/guild/right.ts";

const requests = { cpu: "50m", memory: "128Mi" };

function wanted(kind: string, hash: string, fields: object): KubeObject {
  const annotations = { [appliedAnnotation]: hash };
  return {
    apiVersion: "v1",
    kind,
    metadata: { name: "raid-bot", namespace: "raid", annotations },
    ...fields,
  };
}

/** As the API server would hold it: with a version, and a default beside what was said. */
function held(object: KubeObject): KubeObject {
  const { metadata, ...rest } = structuredClone(object);
  return { ...rest, metadata: { ...metadata, uid: "u1", resourceVersion: "7" }, aDefault: 1 };
}

const role = wanted("Role", "a", { rules: [{ verbs: ["get"], resources: ["leases"] }] });
const workload = wanted("Deployment", "a", {
  spec: {
    replicas: 2,
    template: {
      spec: { containers: [{ name: "bot", image: "bot:1", env: [{ name: "A" }], resources: { requests } }] },
    },
  },
});

test("what is right is known for it by the wish that it fulfils, and by no other", () => {
  const live = compared(held(role), role);
  expect(isRight(live, role)).toBe(true);
  expect(isRight(live, wanted("Role", "b", { rules: [] }))).toBe(false);
  expect(isRight(held(role), role)).toBe(false);
  expect(live.metadata).toMatchObject({ uid: "u1", resourceVersion: "7", name: "raid-bot" });
  expect(live).not.toHaveProperty("rules");
});

test.each<[string, KubeObject, KubeObject]>([
  ["another rule", role, { ...held(role), rules: [] }],
  ["an unknown hash", role, held(wanted("Role", "b", { rules: role["rules"] }))],
  [
    "a variable more",
    workload,
    held(
      wanted("Deployment", "a", {
        spec: {
          replicas: 2,
          template: {
            spec: {
              containers: [
                {
                  name: "bot",
                  image: "bot:1",
                  env: [{ name: "A" }, { name: "EVIL" }],
                  resources: { requests },
                },
              ],
            },
          },
        },
      }),
    ),
  ],
])("what differs by %s stays whole and is compared again", (_, desired, live) => {
  expect(compared(live, desired)).toBe(live);
  expect(isRight(live, desired)).toBe(false);
});

test("what is being deleted stays whole", () => {
  const live = held(role);
  live.metadata.deletionTimestamp = "2026-01-01T00:00:00Z";
  expect(compared(live, role)).toBe(live);
});

test("the mark is no part of a copy, and no difference", () => {
  const cluster = wanted("Cluster", "a", { spec: { instances: 2 } });
  const live = compared(held(cluster), cluster);
  expect(isRight(live, cluster)).toBe(true);
  expect(isRight({ ...live }, cluster)).toBe(false);
  expect(live).toStrictEqual(held(cluster));
});

test("of a Deployment it is left how many pods there are to be and what they request", () => {
  const live = { ...held(workload), status: { readyReplicas: 2 } };
  const right = compared(live, workload);
  expect(JSON.stringify(right)).not.toContain("bot:1");
  expect(right["status"]).toEqual({ readyReplicas: 2 });
  expect(footprint([right])).toEqual(footprint([live]));
});
