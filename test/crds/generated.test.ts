import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { botConfigSchema } from "../../crds/bot-config.ts";
import { specSchema } from "../../crds/dkp-guild.ts";
import { withFieldReference } from "../../crds/field-reference.ts";
import { generatedFiles } from "../../crds/generate.ts";
import { rulesSchema } from "../../crds/rules.ts";

type Node = { properties?: Record<string, Node>; items?: Node; [keyword: string]: unknown };

const text = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

describe("what is generated from the schema", () => {
  test.each(Object.entries(generatedFiles()))("%s in the repository is up to date", (name, generated) => {
    expect(text(`crds/${name}`), "run npm run generate").toBe(generated);
  });

  test("the field reference is up to date", () => {
    const page = text("docs/fields.md");
    expect(withFieldReference(page), "run npm run generate").toBe(page);
  });

  test.each(Object.entries(generatedFiles()))("%s stays below 200 KiB", (_name, generated) => {
    expect(generated.length).toBeLessThan(200 * 1_024);
  });

  test.each(Object.entries(generatedFiles()))(
    "every string and list of the spec in %s is bounded, and nothing under rules has a default",
    (_name, generated) => {
      const definition = parse(generated);
      const { spec } = definition.spec.versions[0].schema.openAPIV3Schema.properties;
      const faults: string[] = [];
      const walk = (path: string, node: Node): void => {
        const bounded = node["maxLength"] ?? node["enum"] ?? node["x-kubernetes-int-or-string"];
        if (node["type"] === "string" && bounded === undefined) faults.push(`${path} has no maxLength`);
        if (node["type"] === "array" && node["maxItems"] === undefined)
          faults.push(`${path} has no maxItems`);
        if (path.startsWith("spec.rules") && node["default"] !== undefined)
          faults.push(`${path} has a default`);
        for (const [name, child] of Object.entries(node["properties"] ?? {})) walk(`${path}.${name}`, child);
        if (node["items"] !== undefined) walk(`${path}[]`, node["items"]);
      };
      walk("spec", spec);
      expect(faults).toEqual([]);
    },
  );
});

describe("the schemas that programs share", () => {
  test("a minimal spec is filled with defaults and no rules", () => {
    const spec = specSchema.parse({
      guildId: "123456789012345678",
      discord: { tokenSecretRef: { name: "token" } },
    });
    expect(spec).toEqual({
      guildId: "123456789012345678",
      suspend: false,
      mode: "active",
      discord: { tokenSecretRef: { name: "token", key: "token" } },
      hibernate: false,
      bot: { channel: "stable", replicas: 2, size: "small", logLevel: "info", logFormat: "json", env: [] },
      database: {
        mode: "dedicated",
        size: "small",
        instances: 3,
        storage: { size: "10Gi" },
        devAccess: "none",
      },
      deletionPolicy: "Retain",
    });
  });

  test("an empty bot configuration means active, with no rule from Git", () => {
    expect(botConfigSchema.parse({})).toEqual({ mode: "active", rules: {} });
  });

  test.each([
    [{ pools: [{ name: "dkp", startPoints: "1.5" }] }, /more decimals/],
    [{ pools: [{ name: "dkp" }, { name: "dkp" }] }, /same name/],
    [{ auctions: { minimumBid: 0 } }, /more than 0/],
    [{ auctions: { increment: "0.00" } }, /more than 0/],
    [{ auctions: { minimumBid: "1.234" } }, /two decimals/],
    [{ roles: { officers: ["12"] } }, /Discord id/],
    [{ timeZone: "CET+1" }, /IANA/],
    [{ pool: [] }, /pool/],
  ])("rules %j are refused", (rules, sentence) => {
    expect(JSON.stringify(rulesSchema.safeParse(rules).error?.issues)).toMatch(sentence);
  });
});
