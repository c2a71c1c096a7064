import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { withoutAdditions } from "../../operator/guild/additions.ts";
import { covers } from "../../operator/guild/covers.ts";

const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean());
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), tie("tree"), { maxKeys: 4 }),
    fc.array(tie("tree"), { maxLength: 3 }),
  ),
}));

/** What an API server makes of an object: defaults beside what was said. */
function defaulted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((entry) => defaulted(entry));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, field]) => [name, defaulted(field)]);
  return Object.fromEntries([...entries, ["aDefaultOfTheServer", 1]]);
}

/** The same with its first leaf changed; undefined when it has none. */
function changed(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.slice(1);
  if (typeof value !== "object" || value === null) return `${String(value)}!`;
  for (const [name, field] of Object.entries(value)) {
    const other = changed(field);
    if (other !== undefined) return { ...value, [name]: other };
  }
  return undefined;
}

describe("comparing what lives with what is wanted", () => {
  test("anything covers itself, with whatever the server added", () => {
    fc.assert(fc.property(tree, (value) => covers(defaulted(value), value)));
  });

  test("any change of what was said is noticed", () => {
    fc.assert(
      fc.property(tree, (value) => {
        const other = changed(value);
        fc.pre(other !== undefined);
        return !covers(other, value);
      }),
    );
  });

  test.each([
    [{ limits: { cpu: "1" } }, { limits: { cpu: "1000m" } }, true],
    [{ limits: { memory: "1Gi" } }, { limits: { memory: "1024Mi" } }, true],
    [{ limits: { cpu: "2" } }, { limits: { cpu: "1000m" } }, false],
    [{ value: "1" }, { value: "1000m" }, false],
    [{}, { egress: [] }, true],
    [{ podSelector: {} }, {}, true],
    [{ env: [{ name: "B" }, { name: "A", value: "1" }] }, { env: [{ name: "A", value: "1" }] }, true],
    [{ rules: [{ verbs: ["get"] }, { verbs: ["list"] }] }, { rules: [{ verbs: ["get"] }] }, false],
  ])("%j covers %j: %s", (live, desired, expected) => {
    expect(covers(live, desired)).toBe(expected);
  });
});

describe("additions of others", () => {
  const desired = {
    kind: "Deployment",
    spec: {
      selector: { matchLabels: { a: "1" } },
      template: { spec: { containers: [{ name: "bot", env: [{ name: "A" }] }] } },
    },
  };

  test("none are found where the server only filled in defaults", () => {
    expect(
      withoutAdditions(defaulted({ ...desired, spec: desired.spec.template }) as object as never, {
        ...desired,
        spec: desired.spec.template,
      }),
    ).toBeUndefined();
  });

  test("a variable is taken away with its list, a foreign field by null, a restart's annotation stays", () => {
    const template = {
      metadata: { annotations: { "kubectl.kubernetes.io/restartedAt": "now" } },
      spec: {
        initContainers: [{ name: "x" }],
        containers: [{ name: "bot", env: [{ name: "A" }, { name: "B" }] }],
      },
    };
    expect(withoutAdditions({ spec: { selector: desired.spec.selector, template } }, desired)).toEqual({
      spec: {
        selector: desired.spec.selector,
        template: { spec: { containers: desired.spec.template.spec.containers, initContainers: null } },
      },
    });
  });

  test("in other kinds they stay, as server-side apply has it", () => {
    expect(
      withoutAdditions({ spec: { selector: { b: "2" } } }, { kind: "NetworkPolicy", spec: { selector: {} } }),
    ).toBeUndefined();
  });
});
