import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { parse } from "yaml";

const root = fileURLToPath(new URL("../..", import.meta.url));
const text = (path: string) => readFileSync(`${root}/${path}`, "utf8");

type Rule = {
  alert: string;
  expr: string;
  for?: string;
  labels: object;
  annotations: Record<string, string>;
};
const { spec } = parse(text("config/observability/alerts.yaml")) as {
  spec: { groups: { rules: Rule[] }[] };
};
const rules = spec.groups.flatMap(({ rules: some }) => some);

/** Metrics that the programs register. */
const exported = new Set(
  ["bot", "operator", "runtime"]
    .flatMap((room) => globSync(`${room}/**/*.ts`, { cwd: root }))
    .flatMap((path) => [...text(path).matchAll(/name: "([a-z_]+)"|counted\(\s*\w+,\s*"([a-z_]+)"/g)])
    .map(([, named, counted]) => named ?? counted),
);

test("leaders that are missing, several or changing all the time are told", () => {
  const names = rules.map(({ alert }) => alert);
  expect(names).toEqual(expect.arrayContaining(["DkpNoLeader", "DkpTwoLeaders", "DkpLeaderFlapping"]));
  expect(new Set(names).size).toBe(names.length);
});

test.each(rules)(
  "$alert looks at metrics that exist, and says what is the matter",
  ({ expr, annotations }) => {
    const metrics = [...expr.matchAll(/\b(?:dkp|leader_election)_[a-z_]+\b/g)].map(([name]) => name);
    expect(metrics).not.toEqual([]);
    expect(metrics.filter((name) => !exported.has(name))).toEqual([]);
    expect(Object.keys(annotations).toSorted()).toEqual(["description", "summary"]);
  },
);

test("the operator is scraped by a label and a port that its pods have", () => {
  const monitor = parse(text("config/observability/pod-monitor.yaml")) as {
    spec: { selector: { matchLabels: object }; podMetricsEndpoints: { port: string }[] };
  };
  const { template } = (
    parse(text("config/operator/deployment.yaml")) as {
      spec: {
        template: { metadata: { labels: object }; spec: { containers: { ports: { name: string }[] }[] } };
      };
    }
  ).spec;
  expect(template.metadata.labels).toMatchObject(monitor.spec.selector.matchLabels);
  const ports = template.spec.containers[0]?.ports.map(({ name }) => name);
  expect(ports).toContain(monitor.spec.podMetricsEndpoints[0]?.port);
});
