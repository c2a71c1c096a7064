import { parseAllDocuments } from "yaml";
import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { KubeClient } from "../../runtime/kube/client.ts";
import { type KubeObject, apiVersionOf } from "../../runtime/kube/object.ts";
import { withoutAdditions } from "../guild/additions.ts";
import { type Child, childKey } from "../guild/child.ts";
import { covers } from "../guild/covers.ts";
import { desired, obsolete } from "../guild/desired.ts";
import { asToSleep } from "../guild/hibernation.ts";
import { operatorName } from "../guild/names.ts";
import type { Observation } from "../guild/observation.ts";
import { progress } from "../guild/progress.ts";
import { guilds } from "../guild/resources.ts";
import { nextRollout } from "../guild/rollout.ts";
import type { GuildSettings } from "../guild/settings.ts";
import { observe } from "../observe.ts";
import { type Call, type Command, Failure, UsageError, oneNamespace } from "./command.ts";
import { type Difference, differenceLine, differences } from "./difference.ts";
import { namedGuild } from "./read.ts";
import { operatorSettings, sensesFor } from "./senses.ts";
import { type Terminal, paint } from "./terminal.ts";

type Change = { child: string; action: "create" | "update" | "delete" | "none"; fields: Difference[] };

type Plan = { guild: string; spec: Difference[]; notes: string[]; changes: Change[] };

/** The guild as it would be stored: the API server checks it and fills in what is left out, and stores nothing. */
async function asStored(client: KubeClient, file: KubeObject, namespace: string) {
  const { name } = file.metadata;
  const live = await client.get<DkpGuild & KubeObject>(guilds, { namespace, name });
  const metadata = { ...file.metadata, namespace };
  const object = { ...file, apiVersion: apiVersionOf(guilds), kind: guilds.kind };
  const stored =
    live === undefined
      ? await client.create<DkpGuild & KubeObject>(guilds, { ...object, metadata }, { dryRun: true })
      : await client.replace<DkpGuild & KubeObject>(
          guilds,
          {
            ...live,
            spec: file["spec"],
            metadata: { ...live.metadata, labels: { ...live.metadata.labels, ...metadata.labels } },
          },
          { dryRun: true },
        );
  // What is stored still bears the old status; a new generation is what the operator would find.
  return { live, guild: stored };
}

async function fromFile(call: Call, path: string): Promise<KubeObject[]> {
  const documents = parseAllDocuments(await call.read(path));
  const broken = [...documents].flatMap(({ errors }) => errors);
  if (broken[0] !== undefined) throw new Failure(`${path} is not YAML: ${broken[0].message.split("\n")[0]}`);
  const objects = [...documents].map((document) => document.toJS() as KubeObject | null);
  const found = objects.filter((object) => object?.kind === guilds.kind).filter((object) => object !== null);
  if (found.length === 0) throw new Failure(`${path} holds no DkpGuild.`);
  if (found.length < objects.filter((object) => object !== null).length)
    call.terminal.note("Only DkpGuilds are planned; other objects of the file are left out.");
  return found;
}

/** What would become of one child; the API server itself says what an apply would make of it. */
async function changeOf(
  client: KubeClient,
  { resource, object, upkeep }: Child,
  live: KubeObject | undefined,
): Promise<Change> {
  const name = childKey(object);
  if (live === undefined) return { child: name, action: "create", fields: [] };
  if (upkeep === "once") return { child: name, action: "none", fields: [] };
  const added = withoutAdditions(live, object);
  if (covers(live, object) && added === undefined) return { child: name, action: "none", fields: [] };
  const applied = await client.apply(resource, object, { dryRun: true, fieldManager: operatorName });
  const fields = differences(live, applied);
  const removed =
    added === undefined
      ? []
      : differences(
          applied["spec"],
          { ...(applied["spec"] as object), ...(object["spec"] as object) },
          "spec",
        );
  return { child: name, action: "update", fields: [...fields, ...removed] };
}

/** The rollout of the image as it goes on once it is the guild's turn in the fleet, which the operator alone knows. */
function itsTurn(guild: DkpGuild, settings: GuildSettings, seen: Observation): Observation["rollout"] {
  const { wanted, migration } = progress(guild, settings, seen);
  const facts = { nowMs: seen.nowMs, hasFailedJob: migration === "failed" };
  return nextRollout(guild, wanted, facts, () => ({ granted: true }));
}

async function planFor(call: Call, declared: DkpGuild, live: DkpGuild | undefined): Promise<Plan> {
  const guild = asToSleep(declared);
  const { client, clock } = call;
  const settings = await operatorSettings(client);
  const seen = await observe(await sensesFor(client, guild, clock), guild);
  const observation = { ...seen, rollout: itsTurn(guild, settings, seen) };
  const facts = progress(guild, settings, observation);
  const isNew =
    observation.rollout?.state === "Progressing" && guild.status?.rollout?.state !== "Progressing";
  const notes = [
    ...(isNew
      ? ["The image is rolled out when it is the guild's turn in the fleet; pods follow the migration."]
      : []),
    ...(guild.spec.suspend ? ["The guild is paused: none of this happens before it is resumed."] : []),
    ...(observation.conflict === undefined
      ? []
      : [
          `It stands still: DkpGuild ${observation.conflict.with} is older and has the same ${observation.conflict.over}.`,
        ]),
    ...observation.taken.map((object) => `${object} exists and is not the guild's, which stops everything.`),
    ...observation.secrets
      .filter(({ state }) => state !== "present")
      .map(({ secret, key }) => `Secret ${secret} with key ${key} is missing; the bot waits for it.`),
  ];
  const wanted = desired(guild, settings, observation, facts, () => "-");
  const kept = await Promise.all(
    wanted.map((child) => changeOf(client, child, observation.children.get(childKey(child.object)))),
  );
  const gone = obsolete(guild, observation, facts).map(({ object }): Change => ({
    child: childKey(object),
    action: "delete",
    fields: [],
  }));
  const spec = live === undefined ? [] : differences(live.spec, declared.spec, "spec");
  return {
    guild: `${guild.metadata.namespace}/${guild.metadata.name}`,
    spec,
    notes,
    changes: [...kept, ...gone],
  };
}

const marks = { create: "+", update: "~", delete: "-", none: " " } as const;
const colours = { create: "green", update: "yellow", delete: "red", none: "dim" } as const;

function print(terminal: Terminal, { guild, spec, notes, changes }: Plan): void {
  terminal.say(paint(terminal, "bold", `DkpGuild ${guild}`));
  for (const field of spec) terminal.say(`  ${differenceLine(field)}`);
  for (const note of notes) terminal.say(paint(terminal, "yellow", `  ! ${note}`));
  for (const { child, action, fields } of changes.filter((change) => change.action !== "none")) {
    terminal.say(paint(terminal, colours[action], `  ${marks[action]} ${action} ${child}`));
    for (const field of fields) terminal.say(`      ${differenceLine(field)}`);
  }
  const counts = Object.entries(Object.groupBy(changes, ({ action }) => action)).map(
    ([action, list]) => `${list?.length ?? 0} ${action === "none" ? "unchanged" : `to ${action}`}`,
  );
  terminal.say(`  ${counts.join(", ")}`);
}

async function guildsToPlan(call: Call): Promise<{ guild: DkpGuild; live: DkpGuild | undefined }[]> {
  const file = call.flags["filename"];
  if (typeof file !== "string") {
    if (call.positionals.length === 0) throw new UsageError("Name a guild, or a file by -f.");
    const guild = await namedGuild(call);
    return [{ guild, live: guild }];
  }
  if (call.positionals.length > 0) throw new UsageError("Name either a guild or a file, not both.");
  const objects = await fromFile(call, file);
  return Promise.all(
    objects.map((object) => asStored(call.client, object, object.metadata.namespace ?? oneNamespace(call))),
  );
}

export const plan: Command = {
  summary: "show what the operator would change, and change nothing",
  synopsis: "GUILD | -f FILE",
  positionals: [0, 1],
  details:
    "With a name: what the operator would do about the guild as it is declared now. With -f: what it would do if that file were\napplied (- is standard input); the API server checks the file and each change without storing anything. Later steps of a\nchange, such as the Deployment that waits for a migration, show once the earlier ones are done. Needs the rights to do what\nit shows.\n\nExit code: 0 nothing would change, 1 something would, 2 wrong usage, 3 it could not be told.",
  options: { filename: { type: "string", short: "f" } },
  async run(call) {
    const plans: Plan[] = [];
    for (const { guild, live } of await guildsToPlan(call)) plans.push(await planFor(call, guild, live));
    const changed = plans.some(
      ({ spec, changes }) => spec.length > 0 || changes.some(({ action }) => action !== "none"),
    );
    if (call.json) call.terminal.say(JSON.stringify(plans, undefined, 2));
    else for (const one of plans) print(call.terminal, one);
    return changed ? 1 : 0;
  },
};
