import { isKubeError } from "../../runtime/kube/error.ts";
import { operatorName } from "../guild/names.ts";
import { pods } from "../guild/resources.ts";
import type { Call, Command } from "./command.ts";
import { diagnosis } from "./diagnosis.ts";
import { type PodObject, eventsOf, listKnown, namedGuild, podsOf } from "./read.ts";
import { paint } from "./terminal.ts";

/** Ready pods of the operator; undefined where the caller may not list pods of all namespaces. */
async function readyOperators({ client }: Call): Promise<number | undefined> {
  const labelSelector = `app.kubernetes.io/name=${operatorName}`;
  try {
    const found = (await listKnown<PodObject>(client, pods, { labelSelector })) ?? [];
    // None at all may mean that it runs elsewhere, as in development.
    if (found.length === 0) return undefined;
    return found.filter(({ status }) =>
      status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True"),
    ).length;
  } catch (error) {
    if (isKubeError(error, 403)) return undefined;
    throw error;
  }
}

async function explain(call: Call): Promise<number> {
  const { client, terminal, clock } = call;
  const guild = await namedGuild(call);
  const [found, events, operators] = await Promise.all([
    podsOf(client, guild),
    eventsOf(client, guild),
    readyOperators(call),
  ]);
  const complaints = diagnosis({ guild, pods: found, events, operators, nowMs: clock() });
  if (call.json) {
    terminal.say(JSON.stringify(complaints, undefined, 2));
    return 0;
  }
  if (guild.status?.phase === "Ready" && !guild.spec.suspend)
    terminal.say(paint(terminal, "green", `${guild.metadata.name} is Ready.`));
  for (const { rank, what, next } of complaints) {
    const mark = ["✗", "✗", "…", "·"][rank] ?? "·";
    const colour = rank <= 1 ? "red" : rank === 2 ? "yellow" : "dim";
    terminal.say(`${paint(terminal, colour, mark)} ${what}`);
    if (next !== undefined) terminal.say(`  → ${next}`);
  }
  return 0;
}

export const why: Command = {
  summary: "say in sentences what is wrong with a guild, the worst first, and what to do",
  synopsis: "GUILD",
  positionals: [1, 1],
  details:
    "Looks at the guild's conditions, its pods and those of its database, its backups, its Events, and the operator itself.",
  options: {},
  run: explain,
};
