import type { KubeObject } from "../../runtime/kube/object.ts";
import { apiVersionOf } from "../../runtime/kube/object.ts";
import { restores } from "../guild/resources.ts";
import { stamped } from "./backup.ts";
import { type Call, type Command, Failure, UsageError } from "./command.ts";
import { follow, waitDetails, waitOptions } from "./follow.ts";
import { namedGuild } from "./read.ts";

type RestoreObject = KubeObject & {
  status?: {
    phase?: string;
    cluster?: string;
    conditions?: { type: string; status: string; message: string }[];
  };
};

function judge({ status }: RestoreObject): { state: string; over?: number } {
  const { phase = "Pending", conditions = [] } = status ?? {};
  const message = conditions.find(({ type }) => type === "Ready")?.message ?? "";
  const state = message === "" ? phase : `${phase}: ${message}`;
  if (phase === "Completed") return { state, over: 0 };
  if (phase === "Failed") return { state, over: 1 };
  // From here on it is an officer's turn, who may take days.
  if (phase === "AwaitingConfirmation")
    return {
      state: `${state === phase ? phase : state} (an officer says /dkp-admin confirm-restore)`,
      over: 0,
    };
  return { state };
}

/** The time as RFC 3339. */
function target(text: string, nowMs: number): string {
  const zoned = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.]\d+)?(Z|[+-]\d\d:\d\d)$/;
  if (!zoned.test(text) || Number.isNaN(Date.parse(text)))
    throw new UsageError(
      `--to must be a time with its zone, such as 2026-11-21T18:30:00Z, or latest; not ${text}.`,
    );
  if (Date.parse(text) > nowMs) throw new UsageError(`--to is in the future: ${text}.`);
  return text;
}

async function begin(call: Call): Promise<number> {
  const { client, terminal, clock, flags } = call;
  const to = flags["to"];
  if (typeof to !== "string") throw new UsageError("Say by --to which time to go back to, or --to latest.");
  const targetTime = to === "latest" ? undefined : target(to, clock());
  const guild = await namedGuild(call);
  const { namespace, name } = guild.metadata;
  const first = guild.status?.backup?.firstRecoverable;
  if (targetTime !== undefined && first !== undefined && Date.parse(targetTime) < Date.parse(first))
    throw new Failure(`The earliest time that ${name} can be taken back to is ${first}.`);
  const made = await client.create(restores, {
    apiVersion: apiVersionOf(restores),
    kind: restores.kind,
    metadata: { namespace, name: stamped(name.slice(0, 27).replace(/-+$/, ""), clock()) },
    spec: { guildRef: { name }, ...(targetTime === undefined ? {} : { targetTime }) },
  });
  terminal.say(`dkprestore/${made.metadata.name} begun`);
  if (flags["wait"] !== true) {
    terminal.note(`kubectl -n ${namespace} get restore ${made.metadata.name} --watch shows how far it is.`);
    return 0;
  }
  return follow(call, restores, { namespace, name: made.metadata.name }, judge);
}

export const restore: Command = {
  summary: "take a guild's database back to an earlier time",
  synopsis: "GUILD --to TIME",
  positionals: [1, 1],
  details: `Makes a DkpRestore: the database as it was at TIME comes up in a new Cluster, and the bot is moved to it; the old one is kept.\nTIME is RFC 3339 with its zone, for example 2026-11-21T18:30:00Z, or latest.\n\n${waitDetails}\nExit code: 0 also when it only waits for an officer, 1 when it fails.`,
  options: { to: { type: "string" }, ...waitOptions },
  run: begin,
};
