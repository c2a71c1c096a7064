import type { DiscordDriver, Interaction, InteractionRecord, Member, Options, Where } from "./driver.ts";

type LoadCommand = { member: Member; name: string; options?: Options; where?: Where };

/** `text`: written into an option that takes text. */
type Counter = { from: number; step: number; text?: boolean };

/** A load that can be sent as JSON: members take turns, and so do commands. */
type LoadPlan = {
  members: Member[];
  /** Options that are `{from, step}` count up with the number of the command. */
  commands: { name: string; options?: Record<string, Options[string] | Counter> }[];
};

export type LoadSpec = {
  perSecond: number;
  durationMs: number;
  /** How long to wait for the last answers, 20 s by default. */
  settleMs?: number;
  plan: LoadPlan | ((index: number) => LoadCommand);
};

export type LoadReport = {
  sent: number;
  /** Answered with exactly one content. */
  answeredOnce: number;
  /** The member saw that it failed. */
  failed: number;
  /** Shown more than one answer: a changed content or an unexpected follow-up. */
  answeredTwice: number;
  /** Neither answered nor failed when the wait was over. */
  unsettled: number;
  /** First answers that Discord refused: 40060 when two bots answered one command, 10062 when one came late. */
  refusedCallbacks: Record<string, number>;
  /** Not sent, because the client refused. */
  refusedByClient: number;
  /** Milliseconds from sending to the accepted first answer and to the content. */
  acknowledged: Percentiles;
  answered: Percentiles;
  /** Ids and contents by outcome, to compare with a ledger; contents of the first answers. */
  outcomes: { id: string; userId: string; name: string; outcome: Outcome; content: string | null }[];
};
type Percentiles = { p50: number; p90: number; p99: number; max: number };
type Outcome = "answeredOnce" | "failed" | "answeredTwice" | "unsettled";

/** Runs commands at a steady rate and accounts for what each member saw. */
export async function load(discord: Pick<DiscordDriver, "as">, spec: LoadSpec): Promise<LoadReport> {
  const next = typeof spec.plan === "function" ? spec.plan : planned(spec.plan);
  const total = Math.round((spec.perSecond * spec.durationMs) / 1_000);
  const running: Promise<Sent | null>[] = [];
  const startedAt = performance.now();
  const settleMs = spec.settleMs ?? 20_000;
  while (running.length < total) {
    const due = Math.min(total, Math.ceil(((performance.now() - startedAt) / 1_000) * spec.perSecond));
    while (running.length < due) running.push(one(discord, next(running.length), settleMs));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return account(await Promise.all(running));
}

type Sent = { started: Interaction; name: string };

/** Sends one command and waits for its end; null when the client would not send it. */
async function one(
  discord: Pick<DiscordDriver, "as">,
  command: LoadCommand,
  settleMs: number,
): Promise<Sent | null> {
  let started: Interaction;
  try {
    started = await discord.as(command.member).command(command.name, command.options, command.where);
  } catch (error) {
    if (error instanceof Error && error.name === "ClientRefusal") return null;
    throw error;
  }
  await started.until(settled, { timeoutMs: settleMs }).catch(() => undefined);
  return { started, name: command.name };
}

function settled({ state }: InteractionRecord): boolean {
  return state === "answered" || state === "failed";
}

function counted({ from, step, text }: Counter, index: number): number | string {
  const count = from + step * index;
  return text === true ? String(count) : count;
}

function planned({ members, commands }: LoadPlan): (index: number) => LoadCommand {
  return (index) => {
    const member = members[index % members.length];
    const command = commands[index % commands.length];
    if (member === undefined || command === undefined) throw new Error("a plan needs members and commands");
    const options = Object.entries(command.options ?? {}).map(([name, value]) => [
      name,
      typeof value === "object" && "from" in value ? counted(value, index) : value,
    ]);
    return { member, name: command.name, options: Object.fromEntries(options) as Options };
  };
}

async function account(ended: (Sent | null)[]): Promise<LoadReport> {
  const sent = ended.filter((found) => found !== null);
  // Read only now: a second answer may come after the first one settled the command.
  const records = await Promise.all(
    sent.map(async ({ started, name }) => ({ record: await started.record(), name })),
  );
  const outcomes = records.map(({ record, name }) => ({
    id: record.id,
    userId: record.userId,
    name,
    outcome: outcomeOf(record),
    content: record.original?.content ?? null,
  }));
  const count = (wanted: Outcome) => outcomes.filter(({ outcome }) => outcome === wanted).length;
  const refused: Record<string, number> = {};
  for (const code of records.flatMap(({ record }) => record.refusedCallbacks)) {
    refused[code] = (refused[code] ?? 0) + 1;
  }
  return {
    sent: sent.length,
    answeredOnce: count("answeredOnce"),
    failed: count("failed"),
    answeredTwice: count("answeredTwice"),
    unsettled: count("unsettled"),
    refusedCallbacks: refused,
    refusedByClient: ended.length - sent.length,
    acknowledged: percentiles(records.flatMap(({ record }) => record.acknowledgedAfterMs ?? [])),
    answered: percentiles(records.flatMap(({ record }) => record.answeredAfterMs ?? [])),
    outcomes,
  };
}

function outcomeOf({ state, original, followups, modal }: InteractionRecord): Outcome {
  if (state === "failed") return "failed";
  if (state !== "answered") return "unsettled";
  const shown = (original?.versions ?? 0) + followups.length + (modal === null ? 0 : 1);
  return shown > 1 ? "answeredTwice" : "answeredOnce";
}

/** Nearest-rank percentiles of milliseconds; zeros when there are none. */
function percentiles(values: number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}
