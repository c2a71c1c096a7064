import type { DiscordDriver, Interaction, Member, Message } from "../discord/driver.ts";
import { jaina, lootChannel, objectStore, officer, sample, thrall } from "./cast.ts";
import { eventually } from "./kubectl.ts";
import type { Kubectl } from "./kubectl.ts";

/** What the tour needs: a cluster with the operator in it, Discord, and a place to write. */
export type Stage = { kubectl: Kubectl; discord: DiscordDriver; write(text: string): void };

type GuildObject = {
  status?: {
    phase?: string;
    conditions?: { type: string; status: string; reason: string; message: string }[];
  };
};

/** Waits until the guild is Ready, telling each phase it passes. */
export async function watchUntilReady({ kubectl, write }: Stage, timeoutMs = 600_000): Promise<void> {
  const started = performance.now();
  let told = "";
  await eventually(
    `guild ${sample.name} becomes Ready`,
    async () => {
      const guild = await kubectl.json<GuildObject>(["-n", sample.namespace, "get", "guild", sample.name]);
      const ready = guild.status?.conditions?.find(({ type }) => type === "Ready");
      const line = `${guild.status?.phase ?? "Pending"}${ready === undefined ? "" : `: ${ready.message}`}`;
      if (line !== told) {
        told = line;
        write(`  ${((performance.now() - started) / 1000).toFixed(0).padStart(3)} s  ${line}\n`);
      }
      return ready?.status === "True" ? true : undefined;
    },
    timeoutMs,
  );
}

/** Runs kubectl where the visitor can read along: the command, then what it printed. */
async function show({ kubectl, write }: Stage, args: string[]): Promise<void> {
  write(`$ kubectl ${args.join(" ")}\n`);
  const said = await kubectl.run(args);
  write(`${indented(said)}\n`);
}

function indented(text: string): string {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n");
}

/** Runs a slash command as a member where the visitor can read along. */
async function say(
  stage: Stage,
  member: Member,
  command: string,
  options: Parameters<ReturnType<DiscordDriver["as"]>["command"]>[1] = {},
): Promise<Message> {
  const typed = Object.entries(options)
    .map(([name, value]) => ` ${name}:${typeof value === "object" ? `@${nameOf(value)}` : String(value)}`)
    .join("");
  stage.write(`${member.name}> /${command}${typed}\n`);
  const interaction = await stage.discord.as(member).command(command, options);
  const message = await interaction.reply();
  stage.write(`${indented(readable(message))}\n`);
  return message;
}

function nameOf(value: object): string {
  return "name" in value && typeof value.name === "string" ? value.name : "…";
}

/** The text of a message as a person reads it: content, then embeds, people by name. */
export function readable(message: Message): string {
  const embeds = message.embeds.flatMap(({ title, description, fields }) => [
    ...(title === undefined ? [] : [title]),
    ...(description === undefined ? [] : [description]),
    ...(fields ?? []).map(({ name, value }) => `${name}: ${value}`),
  ]);
  const only = message.ephemeral ? "  (only they see this)" : "";
  const text = [message.content, ...embeds].filter((part) => part !== "").join("\n");
  return `${asSeen(text)}${only}`;
}

const names = new Map([
  ...[officer, thrall, jaina].map(({ id, name }) => [`<@${id}>`, `@${name}`] as const),
  [`<#${lootChannel.id}>`, `#${lootChannel.name}`],
]);

/** Mentions and times as a client shows them. */
function asSeen(text: string): string {
  return text
    .replaceAll(/<[@#]\d+>/g, (mention) => names.get(mention) ?? mention)
    .replaceAll(
      /<t:(\d+):R>/g,
      (_, seconds: string) => `in ${Math.round(Number(seconds) - Date.now() / 1000)} s`,
    )
    .replaceAll(/<t:(\d+)(:\w)?>/g, (_, seconds: string) =>
      new Date(Number(seconds) * 1000).toISOString().slice(11, 16),
    );
}

/** Scene 1: what one resource has become. */
async function showTheGuild(stage: Stage): Promise<void> {
  stage.write("\nOne DkpGuild became all of this:\n\n");
  await show(stage, ["get", "guilds", "--all-namespaces"]);
  await show(stage, [
    "-n",
    sample.namespace,
    "get",
    "deployment,cluster,job,pod,service,poddisruptionbudget,networkpolicy,lease",
  ]);
}

/** Scene 2: points are earned and looked up. */
async function earnPoints(stage: Stage): Promise<void> {
  stage.write("\nAn officer rewards a raid; a player may not reward himself:\n\n");
  await say(stage, officer, "dkp award", { member: thrall, amount: "100", reason: "Onyxia" });
  await say(stage, officer, "dkp award", { member: jaina, amount: "80", reason: "Onyxia, came late" });
  await say(stage, thrall, "dkp award", { member: thrall, amount: "1000" });
  await say(stage, thrall, "dkp balance");
}

/** Scene 3: an auction runs, is bid on and won. */
async function winAnAuction(stage: Stage): Promise<void> {
  stage.write("\nAn auction: two raiders bid, the Lease holder closes it when its time is over:\n\n");
  const rules = { "auctions.durationSeconds": "15", "auctions.antiSnipe.maxExtensions": "0" };
  for (const [setting, value] of Object.entries(rules)) {
    await say(stage, officer, "dkp-admin config set", { setting, value });
  }
  await say(stage, officer, "auction start", { item: "Helm of Endless Rage" });
  // Whichever replica is first offers what it knows, and hears of the auction a moment after the one that opened it.
  const { value } = await eventually("the auction is offered", async () => {
    const [open] = await stage.discord.as(jaina).autocomplete("auction bid", "auction", { auction: "" });
    return open;
  });
  const auction = String(value);
  await say(stage, jaina, "auction bid", { auction, amount: "30" });
  await say(stage, thrall, "auction bid", { auction, amount: "45" });
  await say(stage, jaina, "auction bid", { auction, amount: "500" });
  const result = await eventually("the auction is settled", async () => {
    const messages = await stage.discord.messages(lootChannel);
    return messages.findLast((message) => /\bw[io]ns?\b/i.test(readable(message)));
  });
  stage.write(`#${lootChannel.name}\n${indented(readable(result))}\n`);
  await say(stage, thrall, "dkp balance");
}

/** Scene 4: a pod dies in the middle of work and no command is lost. */
async function killAPod(stage: Stage): Promise<void> {
  stage.write("\nThe leader's pod is killed while commands come in:\n\n");
  const pods = await stage.kubectl.run([
    "-n",
    sample.namespace,
    "get",
    "lease",
    `${sample.name}-leader`,
    "-o",
    "jsonpath={.spec.holderIdentity}",
  ]);
  const sent: Promise<Interaction>[] = [];
  const timer = setInterval(
    () => sent.push(stage.discord.as(officer).command("dkp award", award(jaina, sent.length + 1))),
    100,
  );
  try {
    await show(stage, [
      "-n",
      sample.namespace,
      "delete",
      "pod",
      pods,
      "--grace-period=0",
      "--force",
      "--wait=false",
    ]);
    await eventually("three seconds of commands", async () => (sent.length >= 40 ? true : undefined));
  } finally {
    clearInterval(timer);
  }
  const answers = await Promise.all(sent.map(async (sending) => (await sending).reply()));
  const once = answers.filter(({ versions }) => versions === 1).length;
  stage.write(
    `  ${sent.length} commands were sent while it died; ${answers.length} were answered, ${once} of them exactly once.\n`,
  );
}

function award(member: Member, count: number): { member: Member; amount: string; reason: string } {
  return { member, amount: "1", reason: `kill ${count}` };
}

type DeploymentObject = { spec: { replicas: number } };

/** Scene 5: what is changed by hand comes back. */
async function editByHand(stage: Stage): Promise<void> {
  stage.write("\nSomebody scales the bot to nothing by hand; the operator puts it back:\n\n");
  const deployment = ["-n", sample.namespace, "get", "deployment", `${sample.name}-bot`];
  const before = await stage.kubectl.json<DeploymentObject>(deployment);
  const started = performance.now();
  await show(stage, ["-n", sample.namespace, "scale", "deployment", `${sample.name}-bot`, "--replicas=0"]);
  await eventually("the Deployment has its replicas again", async () => {
    const now = await stage.kubectl.json<DeploymentObject>(deployment);
    return now.spec.replicas === before.spec.replicas ? true : undefined;
  });
  const tookMs = performance.now() - started;
  await show(stage, deployment);
  stage.write(`  put back within ${(tookMs / 1000).toFixed(1)} s, kubectl's own time included\n`);
}

type BackupList = { items: { status?: { phase?: string } }[] };

/** Scene 6: what was earned lies in S3 as well. */
async function showTheBackup(stage: Stage): Promise<void> {
  stage.write("\nEvery change is archived into S3 as it happens, on top of a base backup:\n\n");
  const backups = ["-n", sample.namespace, "get", "backups.postgresql.cnpg.io"];
  await eventually("a base backup is complete", async () => {
    const { items } = await stage.kubectl.json<BackupList>(backups);
    return items.some(({ status }) => status?.phase === "completed") ? true : undefined;
  });
  await show(stage, backups);
  const listing = ["find", `/data/${objectStore.bucket}`, "-type", "f", "-size", "+0"];
  await show(stage, ["-n", "s3", "exec", "deployment/s3", "--", ...listing]);
}

/** The whole tour, from the table of guilds to the backup of what was earned. */
export async function tour(stage: Stage): Promise<void> {
  await showTheGuild(stage);
  await earnPoints(stage);
  await winAnAuction(stage);
  await killAPod(stage);
  await editByHand(stage);
  await showTheBackup(stage);
}
