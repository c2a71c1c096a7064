import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { byController, objectCache } from "../../runtime/kube/cache.ts";
import { isNewer, objectKey, refOfKey, type KubeObject } from "../../runtime/kube/object.ts";

const object = (
  name: string,
  version: number,
  uid = "u1",
  labels: Record<string, string> = {},
): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace: "raid", name, uid, resourceVersion: String(version), labels },
});

describe("the cache", () => {
  test("says what changed", () => {
    const cache = objectCache();
    expect(cache.put(object("a", 1)).map((change) => change.type)).toEqual(["added"]);
    expect(cache.put(object("a", 2)).map((change) => change.type)).toEqual(["updated"]);
    expect(cache.put(object("a", 2))).toEqual([]);
    expect(cache.put(object("a", 3, "u2")).map((change) => change.type)).toEqual(["deleted", "added"]);
    expect(cache.remove(object("a", 4, "u2")).map((change) => change.type)).toEqual(["deleted"]);
    expect(cache.remove(object("a", 4, "u2"))).toEqual([]);
  });

  test("never goes back to an older version", () => {
    const cache = objectCache();
    cache.remember(object("a", 9));
    expect(cache.put(object("a", 10 - 3))).toEqual([]);
    expect(cache.getByKey("raid/a")?.metadata.resourceVersion).toBe("9");
    cache.put(object("a", 10));
    expect(cache.getByKey("raid/a")?.metadata.resourceVersion).toBe("10");
  });

  test("holds less of a version when it is told to, also of one that the watch has delivered", () => {
    const cache = objectCache({ indexes: { colour: ({ metadata }) => [metadata.labels?.["colour"] ?? ""] } });
    cache.put({ ...object("a", 4, "u1", { colour: "red" }), data: { much: "of it" } });
    cache.advance("raid", "6");
    const less = object("a", 4, "u1", { colour: "red" });
    cache.remember(less);
    expect(cache.getByKey("raid/a")).toBe(less);
    expect(cache.byIndex("colour", "red")).toEqual([less]);
    cache.remember(object("a", 4, "u2"));
    expect(cache.getByKey("raid/a")).toBe(less);
    expect(cache.put(object("a", 4))).toEqual([]);
  });

  test("does not bring back, by a late answer, what the watch has already seen deleted", () => {
    const cache = objectCache();
    cache.put(object("a", 1));
    cache.remove(object("a", 6));
    cache.advance("raid", "6");
    cache.remember(object("a", 5));
    expect(cache.size).toBe(0);
    cache.remember(object("a", 7, "u2"));
    expect(cache.size).toBe(1);
  });

  test("keeps over a relist what was written after the list was taken", () => {
    const cache = objectCache();
    cache.put(object("old", 1));
    cache.remember(object("fresh", 8));
    const changes = cache.retain(undefined, new Set(), "5");
    expect(changes.map((change) => change.object.metadata.name)).toEqual(["old"]);
    expect([...cache.values()].map((held) => held.metadata.name)).toEqual(["fresh"]);
  });

  test("knows the echo of each write that it remembered, once, until everything is listed anew", () => {
    const cache = objectCache();
    cache.put(object("a", 1));
    cache.remember(object("a", 3));
    cache.remember(object("b", 4));
    cache.advance("raid", "4");
    cache.remember(object("late", 2));
    expect(["1", "2", "3", "3"].map((version) => cache.isEcho(version))).toEqual([false, false, true, false]);
    cache.retain("raid", new Set(["raid/a", "raid/b"]), "4");
    expect(cache.isEcho("4")).toBe(false);
  });

  test("a recreated object that was remembered survives the deletion of its predecessor", () => {
    const cache = objectCache();
    cache.put(object("a", 1));
    cache.remember(object("a", 5, "u2"));
    expect(cache.remove(object("a", 4, "u1")).map((change) => change.type)).toEqual(["deleted"]);
    expect(cache.getByKey("raid/a")?.metadata.uid).toBe("u2");
  });

  test("finds by index what it holds, whatever happened before", () => {
    const action = fc.record({
      name: fc.constantFrom("a", "b", "c", "d"),
      colour: fc.constantFrom("red", "green"),
      removed: fc.boolean(),
      uid: fc.constantFrom("u1", "u2"),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const cache = objectCache({
          indexes: { colour: (held) => [held.metadata.labels?.["colour"] ?? ""] },
        });
        for (const [index, { name, colour, removed, uid }] of actions.entries()) {
          const one = object(name, index + 1, uid, { colour });
          if (removed) cache.remove(one);
          else cache.put(one);
        }
        for (const colour of ["red", "green"]) {
          const expected = [...cache.values()].filter((held) => held.metadata.labels?.["colour"] === colour);
          expect(new Set(cache.byIndex("colour", colour))).toEqual(new Set(expected));
        }
      }),
    );
  });

  test("finds children by the uid of their controller", () => {
    const cache = objectCache({ indexes: { owner: byController } });
    const child = object("child", 1);
    child.metadata.ownerReferences = [
      { apiVersion: "v1", kind: "X", name: "x", uid: "parent", controller: true },
    ];
    cache.put(child);
    expect(cache.byIndex("owner", "parent")).toEqual([child]);
    expect(() => cache.byIndex("colour", "red")).toThrow('There is no index "colour".');
  });
});

test.each([
  ["9", "10", false],
  ["10", "9", true],
  ["10", "10", false],
  ["123456789012345678901", "99999999999999999999", true],
  [undefined, "1", true],
])("isNewer(%s, %s) is %s", (a, b, expected) => {
  expect(isNewer(a, b)).toBe(expected);
});

test.each([{ namespace: "raid", name: "a" }, { name: "cluster-wide" }])(
  "a key leads back to its reference",
  (ref) => {
    expect(refOfKey(objectKey(ref))).toEqual(ref);
  },
);
