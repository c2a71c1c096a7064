import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../sandbox/kubectl.ts";
import { apply, award, balance, declareGuild, isReady, openStage } from "./stage.ts";
import { statusOf, untilStatus } from "./stage.ts";
import type { GuildHere, GuildStatus, Stage } from "./stage.ts";

const namespace = "fleet";
const names = ["alpha", "bravo", "carol", "delta", "ember", "frost", "grove", "haven", "ivory", "jolly"];

/** How many guilds an image may fail on before its rollout halts: of ten guilds, the least that the operator takes for a pattern. */
const budget = 2;

let stage: Stage;
let guilds: GuildHere[] = [];

beforeAll(async () => {
  stage = await openStage();
  await apply(stage, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  await apply(stage, {
    apiVersion: "postgresql.cnpg.io/v1",
    kind: "Cluster",
    metadata: { name: "fleet", namespace },
    spec: {
      instances: 1,
      imageName: stage.images.postgresql,
      imagePullPolicy: "IfNotPresent",
      storage: { size: "2Gi" },
      postgresql: { parameters: { max_connections: "400" } },
    },
  });
  const spec = {
    bot: { replicas: 1, image: undefined },
    database: { mode: "shared", clusterRef: { name: "fleet" } },
  };
  guilds = await Promise.all(names.map((name) => declareGuild(stage, name, spec, namespace)));
  await Promise.all(guilds.map((here) => untilStatus(stage, here, "becomes Ready", isReady)));
  await Promise.all(guilds.map((here) => award(stage, here, here.raider, 30)));
}, 600_000);

afterAll(async () => {
  await setImage(stage.images.bot);
  await stage.close();
});

/** Changes the image that the operator runs for every guild that names none, which is how a fleet is upgraded. */
async function setImage(image: string): Promise<void> {
  const inSystem = ["-n", "dkp-system"];
  await stage.kubectl.run([...inSystem, "set", "env", "deployment/dkp-operator", `BOT_IMAGE=${image}`]);
  await stage.kubectl.run([...inSystem, "rollout", "status", "deployment/dkp-operator", "--timeout=180s"]);
}

/** The image of each guild's Deployment, by name. */
async function images(): Promise<Map<string, string>> {
  const shown =
    "jsonpath={range .items[*]}{.metadata.name} {.spec.template.spec.containers[0].image}{'\\n'}{end}";
  const bots = ["-l", "app.kubernetes.io/component=bot"];
  const lines = await stage.kubectl.run(["-n", namespace, "get", "deployments", ...bots, "-o", shown]);
  return new Map(
    lines
      .trim()
      .split("\n")
      .map((line) => {
        const [name = "", image = ""] = line.split(" ");
        return [name.replace(/-bot$/, ""), image];
      }),
  );
}

const everyStatus = (): Promise<GuildStatus[]> => Promise.all(guilds.map((here) => statusOf(stage, here)));

describe("ten guilds", () => {
  test("stop a rollout of a broken image at its budget, and go back to the image that served", async () => {
    const tried = new Set<string>();
    await setImage(stage.brokenBot);
    const statuses = await eventually(
      "the rollout has stopped and every guild runs the healthy image",
      async () => {
        const now = await images();
        now.forEach((image, name) => (image === stage.brokenBot ? tried.add(name) : undefined));
        const found = await everyStatus();
        const states = found.map(({ rollout }) => rollout?.state);
        const isOver = states.filter((state) => state === "Failed").length >= budget;
        const isBack = [...now.values()].every((image) => image === stage.images.bot);
        if (isOver && isBack && !states.includes("Progressing")) return found;
        throw new Error(JSON.stringify(found.map(({ rollout }) => rollout)));
      },
      280_000,
    );
    expect(tried.size).toBe(budget);
    expect(statuses.filter(({ rollout }) => rollout?.state === "Failed")).toHaveLength(budget);
    const waiting = statuses.filter(({ rollout }) => rollout?.state === "Waiting");
    expect(waiting).toHaveLength(names.length - budget);
    for (const { rollout } of waiting) expect(rollout?.message).toContain("Halted");
    for (const { lastHealthyImage } of statuses) expect(lastHealthyImage).toBe(stage.images.bot);
  });

  test("answer all of them with the points they had, the broken image notwithstanding", async () => {
    const points = await Promise.all(guilds.map((here) => balance(stage, here, here.raider)));
    expect(points).toEqual(names.map(() => 30));
  });

  test("are all Ready again once the operator is given a healthy image", async () => {
    await setImage(stage.images.bot);
    await Promise.all(
      guilds.map((here) =>
        untilStatus(
          stage,
          here,
          "is Ready",
          (status) => isReady(status) && status.rollout?.state !== "Failed",
        ),
      ),
    );
    expect(new Set((await images()).values())).toEqual(new Set([stage.images.bot]));
  });

  test("break none of Discord's rules in all of this", async () => {
    expect(await stage.discord.violations()).toEqual([]);
  });
});
