import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { jaina, officer, sample, sampleApplication, thrall } from "../sandbox/cast.ts";
import { applySample } from "../sandbox/install.ts";
import { eventually } from "../sandbox/kubectl.ts";
import { watchUntilReady } from "../sandbox/tour.ts";
import { awardCount, awardsDuring, expectTruth } from "./commands.ts";
import { award, balance, openStage } from "./stage.ts";
import type { GuildHere, Stage } from "./stage.ts";

const write = (text: string): void => void process.stdout.write(text);
const inGuild = ["-n", sample.namespace];
const bots = ["-l", "app.kubernetes.io/component=bot"];
const here: GuildHere = {
  namespace: sample.namespace,
  name: sample.name,
  guildId: sample.guildId,
  application: sampleApplication,
  officer,
  raider: jaina,
};

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});

afterAll(() => stage?.close());

const kubectl = (args: string[]): Promise<string> => stage.kubectl.run(args);
const becomesReady = (): Promise<void> => watchUntilReady({ ...stage, write });

/** How often the leading operator has looked at a guild and written anything but its own Lease, by its own metrics. */
async function operatorMetrics(): Promise<{ reconciles: number; writes: number }> {
  const holder = ["get", "lease", "dkp-operator", "-o", "jsonpath={.spec.holderIdentity}"];
  const leader = (await kubectl(["-n", "dkp-system", ...holder])).split("_")[0] ?? "";
  const path = `/api/v1/namespaces/dkp-system/pods/${leader}:8080/proxy/metrics`;
  const lines = (await kubectl(["get", "--raw", path])).split("\n");
  const sum = (pattern: RegExp): number =>
    lines
      .filter((line) => pattern.test(line))
      .reduce((total, line) => total + Number(line.split(" ").at(-1)), 0);
  return {
    reconciles: sum(/^controller_runtime_reconcile_total\{/),
    writes: sum(/^rest_client_requests_total\{.*method="(PATCH|POST|DELETE)"/),
  };
}

describe("a guild on a real cluster", () => {
  test("becomes Ready from config/samples, which kubectl get guilds shows", async () => {
    await applySample(stage.kubectl);
    await becomesReady();
    const table = await kubectl([...inGuild, "get", "guilds"]);
    write(table);
    expect(table).toMatch(/night-watch\s+123456789012345678\s+Ready\s+True/);
  });

  test("had its commands registered once its database was migrated, before its bot served", async () => {
    const logs = [...inGuild, "logs", "-l", "app.kubernetes.io/component=migrate", "-c"];
    expect(await kubectl([...logs, "migrate"])).toMatch(/^The database /m);
    expect(await kubectl([...logs, "setup"])).toMatch(
      /^ok: .*\(\d+\) is in .*, 3 commands \(\w+\) registered/m,
    );
  });

  test("answers slash commands from its own database", async () => {
    await award(stage, here, thrall, 100);
    await award(stage, here, jaina, 7);
    expect(await balance(stage, here, thrall)).toBe(100);
    expect(await awardCount(stage, here)).toBe(2);
  });

  test("costs no write to look at again", async () => {
    const before = await operatorMetrics();
    expect(before.writes).toBeGreaterThan(0);
    // An annotation of the guild wakes the operator without changing anything it desires.
    await kubectl([...inGuild, "annotate", "guild", sample.name, "example.com/touched=yes", "--overwrite"]);
    const after = await eventually("the guild was looked at again", async () => {
      const now = await operatorMetrics();
      return now.reconciles > before.reconciles ? now : undefined;
    });
    expect(after.writes).toBe(before.writes);
  });

  test("loses no command when a bot's pod is deleted", async () => {
    const before = await awardCount(stage, here);
    const report = await awardsDuring(stage, here, async () => {
      const leader = await kubectl([
        ...inGuild,
        "get",
        "lease",
        `${sample.name}-leader`,
        "-o",
        "jsonpath={.spec.holderIdentity}",
      ]);
      await kubectl([...inGuild, "delete", "pod", leader, "--wait=false"]);
    });
    await expectTruth(stage, here, report, before);
    expect(report.failed).toBe(0);
  });

  test("answers exactly once when a pod is killed without warning", async () => {
    await eventually("both bots run again", ready(2));
    const before = await awardCount(stage, here);
    const report = await awardsDuring(stage, here, async () => {
      const [pod = ""] = (await kubectl([...inGuild, "get", "pods", ...bots, "-o", "name"])).split("\n");
      await kubectl([...inGuild, "delete", pod, "--grace-period=0", "--force", "--wait=false"]);
    });
    await expectTruth(stage, here, report, before);
  });

  test("answers what came in while its database was away", async () => {
    await eventually("both bots run again", ready(2));
    const before = await awardCount(stage, here);
    const report = await awardsDuring(stage, here, () =>
      kubectl([...inGuild, "delete", "pod", `${sample.name}-db-1`, "--grace-period=1", "--wait=false"]),
    );
    await expectTruth(stage, here, report, before);
    const replicas = await kubectl([
      ...inGuild,
      "get",
      "deploy",
      `${sample.name}-bot`,
      "-o",
      "jsonpath={.spec.replicas}",
    ]);
    expect(replicas).toBe("2");
  });

  test("has its Deployment put back when somebody edits it, also by an operator that just took over", async () => {
    await kubectl([
      "-n",
      "dkp-system",
      "delete",
      "pods",
      "-l",
      "app.kubernetes.io/name=dkp-operator",
      "--wait=false",
    ]);
    const image = ["-o", "jsonpath={.spec.template.spec.containers[0].image}"];
    const deployment = [...inGuild, "get", "deployment", `${sample.name}-bot`];
    const before = await kubectl([...deployment, ...image]);
    await kubectl([...inGuild, "set", "image", `deployment/${sample.name}-bot`, "*=example.com/not-ours:1"]);
    await eventually("the image is ours again", async () =>
      (await kubectl([...deployment, ...image])) === before ? true : undefined,
    );
    await eventually("both bots run again", ready(2));
  });

  test("keeps its database when it is deleted, and has it again when declared again", async () => {
    const before = await balance(stage, here, thrall);
    await kubectl([...inGuild, "delete", "guild", sample.name, "--timeout=120s"]);
    await eventually("the bot is gone", async () => {
      const pods = await kubectl([...inGuild, "get", "pods", ...bots, "-o", "name"]);
      return pods.trim() === "" ? true : undefined;
    });
    expect(await kubectl([...inGuild, "get", "cluster", `${sample.name}-db`, "-o", "name"])).toContain(
      sample.name,
    );
    await applySample(stage.kubectl);
    await becomesReady();
    expect(await balance(stage, here, thrall)).toBe(before);
  });

  test("leaves no orphan when its deletionPolicy is Delete", async () => {
    const patch = JSON.stringify({ spec: { deletionPolicy: "Delete" } });
    await kubectl([...inGuild, "patch", "guild", sample.name, "--type=merge", "-p", patch]);
    await kubectl([...inGuild, "delete", "guild", sample.name, "--timeout=180s"]);
    const kinds =
      "deployment,replicaset,job,pod,service,serviceaccount,role,rolebinding,configmap,secret,lease,poddisruptionbudget,networkpolicy,cluster,pvc";
    const left = await eventually("everything of the guild is gone", async () => {
      const names = (await kubectl([...inGuild, "get", kinds, "-o", "name"])).trim().split("\n");
      const others = names.filter(
        (name) => name.includes(sample.name) && !name.endsWith(`/${sample.secret}`),
      );
      return others.length === 0 ? names : undefined;
    });
    expect(left).toContain(`secret/${sample.secret}`);
  });

  test("breaks none of Discord's rules in all of this", async () => {
    expect(await stage.discord.violations()).toEqual([]);
  });
});

function ready(count: number): () => Promise<true | undefined> {
  return async () => {
    const replicas = await kubectl([
      ...inGuild,
      "get",
      "deployment",
      `${sample.name}-bot`,
      "-o",
      "jsonpath={.status.readyReplicas}/{.status.replicas}",
    ]);
    return replicas === `${count}/${count}` ? true : undefined;
  };
}
