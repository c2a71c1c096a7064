import { inject } from "vitest";
import { connectDiscord } from "../discord/control-client.ts";
import type { RemoteDiscord } from "../discord/control-client.ts";
import type { Application, Member } from "../discord/driver.ts";
import type { Images } from "../sandbox/cluster.ts";
import { eventually, kubectl } from "../sandbox/kubectl.ts";
import type { Kubectl } from "../sandbox/kubectl.ts";
import { readable } from "../sandbox/tour.ts";

/** The cluster that all files share, and Discord in it. */
export type Stage = {
  kubectl: Kubectl;
  discord: RemoteDiscord;
  images: Images;
  /** Image of a bot that cannot run. */
  brokenBot: string;
  close(): Promise<void>;
};

/** A guild as a test knows it: where it lies in the cluster, its application, and people in it. */
export type GuildHere = {
  namespace: string;
  name: string;
  guildId: string;
  application: Application;
  officer: Member;
  raider: Member;
};

/** Connects to the cluster that the run has started. */
export async function openStage(): Promise<Stage> {
  const { kubectlPath, kubeconfigPath, images, brokenBot } = inject("cluster");
  const control = kubectl(kubectlPath, kubeconfigPath);
  const forward = await control.forward("discord", "discord", 8080);
  const discord = await connectDiscord(`http://127.0.0.1:${forward.port}`);
  return {
    kubectl: control,
    discord,
    images,
    brokenBot,
    async close() {
      await discord.close();
      await forward.close();
    },
  };
}

const manageGuild = 1n << 5n;

/**
 * Declares a guild of its own in Discord and in the cluster, in a namespace that is made when it is not there. It names its bot's
 * image, so that it has no part in what the operator rolls out to others. It stays until the cluster goes.
 */
export async function declareGuild(
  stage: Stage,
  name: string,
  spec: { bot: object; [field: string]: unknown },
  namespace = name,
): Promise<GuildHere> {
  const { discord } = stage;
  const application = await discord.addApplication({ name });
  const guild = await discord.addGuild({
    name,
    roles: [{ name: "Officers", permissions: manageGuild }],
    channels: [{ name: "loot" }],
    members: [{ name: `${name}-officer`, roles: ["Officers"] }, { name: `${name}-raider` }],
    applications: [application],
  });
  const [officer, raider] = guild.members;
  if (officer === undefined || raider === undefined) throw new Error("the guild has no members");
  const here: GuildHere = { namespace, name, guildId: guild.id, application, officer, raider };
  await apply(stage, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  await putToken(stage, here, application.token);
  await apply(stage, {
    apiVersion: "dkp.dev/v1alpha1",
    kind: "DkpGuild",
    metadata: { name, namespace },
    spec: {
      guildId: guild.id,
      discord: { tokenSecretRef: { name: tokenSecret(here) } },
      ...spec,
      bot: { image: stage.images.bot, ...spec.bot },
    },
  });
  return here;
}

function tokenSecret({ name }: Pick<GuildHere, "name">): string {
  return `${name}-discord`;
}

/** Writes a bot token into the guild's Secret. */
export async function putToken(stage: Stage, here: GuildHere, token: string): Promise<void> {
  await apply(stage, {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: tokenSecret(here), namespace: here.namespace },
    stringData: { token },
  });
}

/** Server-side apply of one object. */
export async function apply({ kubectl: control }: Stage, object: object): Promise<void> {
  await control.run(["apply", "--server-side", "--force-conflicts", "-f", "-"], JSON.stringify(object));
}

export type GuildStatus = {
  phase?: string;
  image?: string;
  lastHealthyImage?: string;
  tokenHash?: string;
  rollout?: { image: string; state: string; message?: string };
  database?: { cluster?: string; primary?: string };
  backup?: { lastSuccess?: string; firstRecoverable?: string };
  conditions?: {
    type: string;
    status: string;
    reason: string;
    message: string;
    observedGeneration: number;
  }[];
};

/** The status of a guild as it is now. */
export async function statusOf({ kubectl: control }: Stage, here: GuildHere): Promise<GuildStatus> {
  const { namespace, name } = here;
  const guild = await control.json<{ status?: GuildStatus }>(["-n", namespace, "get", "guild", name]);
  return guild.status ?? {};
}

/** Waits until a guild's status satisfies `probe`; tells the last phase and message when it does not. */
export async function untilStatus(
  stage: Stage,
  here: GuildHere,
  what: string,
  probe: (status: GuildStatus) => boolean,
  timeoutMs = 300_000,
): Promise<GuildStatus> {
  return eventually(
    `guild ${here.name} ${what}`,
    async () => {
      const status = await statusOf(stage, here);
      if (probe(status)) return status;
      const ready = status.conditions?.find(({ type }) => type === "Ready");
      throw new Error(`it is ${status.phase}: ${ready?.reason} ${ready?.message}`);
    },
    timeoutMs,
  );
}

/** True when the guild is Ready and its status is about what was last declared. */
export function isReady({ conditions }: GuildStatus): boolean {
  return conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
}

/** What PostgreSQL itself says, asked as its superuser in the primary's pod of the guild's Cluster. */
export async function sql(
  { kubectl: control }: Stage,
  here: GuildHere,
  query: string,
  cluster = `${here.name}-db`,
): Promise<string> {
  const inNamespace = ["-n", here.namespace];
  const primary = ["-l", `cnpg.io/cluster=${cluster},cnpg.io/instanceRole=primary`];
  const pod = await control.run([...inNamespace, "get", "pods", ...primary, "-o", "name"]);
  const psql = ["psql", "-U", "postgres", "-d", "dkp", "-Atc", query];
  const said = await control.run([...inNamespace, "exec", pod.trim(), "-c", "postgres", "--", ...psql]);
  return said.trim();
}

/** A member's points, asked by slash command. */
export async function balance(stage: Stage, { officer }: GuildHere, member: Member): Promise<number> {
  const interaction = await stage.discord.as(officer).command("dkp balance", { member });
  const text = readable(await interaction.reply());
  return Number(/(\d[\d\s]*) dkp/.exec(text)?.[1]?.replaceAll(/\s/g, "") ?? Number.NaN);
}

/** Gives points by slash command and waits for the answer. */
export async function award(
  stage: Stage,
  { officer }: GuildHere,
  member: Member,
  amount: number,
): Promise<string> {
  const interaction = await stage.discord
    .as(officer)
    .command("dkp award", { member, amount: String(amount) });
  return readable(await interaction.reply());
}
