import { afterAll, beforeAll, expect, test, vi } from "vitest";
import * as kinds from "../../operator/guild/resources.ts";
import type { Operator } from "../../operator/start.ts";
import { type Recording, startRecorded } from "./clients.ts";
import { everybodyPlays, makeGuild, makeToken } from "./players.ts";
import { type Scene, openScene } from "./scene.ts";
import { patience, reachesPhase } from "./status.ts";

const space = "night-watch";
const text = { type: "string" };
const labels = {
  type: "object",
  properties: { matchLabels: { type: "object", additionalProperties: text } },
};
const endpoint = { type: "object", properties: { port: text, path: text } };

/** PodMonitor as the Prometheus operator defines it, with the fields that are used here. */
const definition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "podmonitors.monitoring.coreos.com" },
  spec: {
    group: "monitoring.coreos.com",
    scope: "Namespaced",
    names: { kind: "PodMonitor", plural: "podmonitors", singular: "podmonitor", listKind: "PodMonitorList" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: {
              spec: {
                type: "object",
                required: ["selector"],
                properties: { selector: labels, podMetricsEndpoints: { type: "array", items: endpoint } },
              },
            },
          },
        },
      },
    ],
  },
};

let scene: Scene;
let operator: Operator;
let recorded: Recording;

const monitors = () => scene.list(kinds.podMonitors, space);

beforeAll(async () => {
  scene = await openScene({ cloudNativePg: true });
  await scene.namespace(space);
  await makeToken(scene, space);
  ({ operator, ...recorded } = await startRecorded(scene));
  await scene.create(kinds.guilds, space, makeGuild("watch", "920000000000000001"));
  const players = everybodyPlays(scene, space, "watch");
  await reachesPhase(scene, space, "watch", "Ready");
  await players.stop();
});

afterAll(async () => {
  await operator?.stop();
  await scene?.stop();
});

test("a guild has PodMonitors for its bots and its database once Prometheus's operator is installed", async () => {
  const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  expect((await scene.plane.call("POST", path, definition)).status).toBe(201);
  await vi.waitFor(async () => expect(await monitors()).toHaveLength(2), patience);
  const [bots, instances] = await monitors();
  expect(bots?.["spec"]).toEqual({
    selector: {
      matchLabels: {
        "app.kubernetes.io/name": "dkp-bot",
        "app.kubernetes.io/instance": "watch",
        "app.kubernetes.io/component": "bot",
      },
    },
    podMetricsEndpoints: [{ port: "http", path: "/metrics" }],
  });
  expect(instances?.["spec"]).toEqual({
    selector: { matchLabels: { "cnpg.io/cluster": "watch-db", "cnpg.io/podRole": "instance" } },
    podMetricsEndpoints: [{ port: "metrics", path: "/metrics" }],
  });
  expect(bots?.metadata.ownerReferences?.[0]?.name).toBe("watch");
});

test("they name ports that the pods have", async () => {
  const { template } = (await scene.part(kinds.deployments, space, "watch-bot")) as {
    template: { metadata: { labels: object }; spec: { containers: { ports: { name: string }[] }[] } };
  };
  const [bots] = (await monitors()) as unknown as { spec: { selector: { matchLabels: object } } }[];
  expect(template.metadata.labels).toMatchObject(bots?.spec.selector.matchLabels ?? {});
  expect(template.spec.containers[0]?.ports.map(({ name }) => name)).toContain("http");
});

test("what is changed by hand comes back, and then nothing is written, by a new operator neither", async () => {
  const broken = { spec: { podMetricsEndpoints: [] } };
  await scene.patch(kinds.podMonitors, space, "watch-bot", broken);
  await vi.waitFor(async () => {
    const { podMetricsEndpoints } = await scene.part(kinds.podMonitors, space, "watch-bot");
    expect(podMetricsEndpoints).toHaveLength(1);
  }, patience);
  await operator.stop();
  expect(recorded.forbidden).toEqual([]);
  ({ operator, ...recorded } = await startRecorded(scene));
  await vi.waitFor(() => expect(recorded.reads.length).toBeGreaterThan(20), patience);
  expect(recorded.writes).toEqual([]);
});
