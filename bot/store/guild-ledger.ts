import type { ConfiguredRestore } from "../ledger/command.ts";
import { openingEvent } from "../ledger/decide.ts";
import { mergeState } from "../ledger/state.ts";
import { append } from "./append.ts";
import type { AppendedCalls } from "./append.ts";
import type { Job, Prepared } from "./attempt.ts";
import { decideNext, finishRows, newBatch, record, viewOf } from "./batch.ts";
import type { Batch } from "./batch.ts";
import type { Database } from "./database.ts";
import { WrongLedger } from "./failure.ts";
import { BrokenChain, catchUp, emptyMemory, forgetClosed, learnAccount } from "./memory.ts";
import type { Memory } from "./memory.ts";
import { callsOf, eventsAt, outboxRow } from "./recovery.ts";
import type { Appended, GuildLedger } from "./request.ts";
import { retried } from "./retry.ts";
import { settleBatch } from "./settle-batch.ts";

export type LedgerOptions = {
  readonly database: Database;
  readonly guildId: string;
  /** This replica (presence.ts): whose outbox rows the appended calls are. */
  readonly replica: { readonly id: number };
  /** How many requests one append may carry. */
  readonly maxBatch?: number;
  /** The restore that the configuration names now: changes wait until the ledger knows it and it was confirmed. */
  readonly restore?: () => ConfiguredRestore | undefined;
  /** Told of what heals itself: a database that is away, a ledger that went back after a failover. */
  readonly warn?: (fields: object, message: string) => void;
};

/** What the parts of an open ledger share. */
export type Core = {
  readonly database: Database;
  readonly replica: number;
  readonly guildId: string;
  readonly warn: (fields: object, message: string) => void;
  restore(): ConfiguredRestore | undefined;
  memory(): Memory;
  /** Reads what others appended, and starts over when the ledger went back (a failover may lose its last events). */
  follow(): Promise<void>;
  /** Reads the ledger from its beginning. */
  reload(): Promise<void>;
  /** Makes an appended batch true: in the memory, for the listeners, for whoever asked. */
  conclude(prepared: Prepared, calls?: AppendedCalls): Promise<void>;
};

/**
 * Opens the guild's ledger: checks whose it is, reads it, and writes the opening event of a new one.
 * @throws WrongLedger for a database of another guild or without migrations for this one
 */
export async function openLedger(options: LedgerOptions): Promise<GuildLedger> {
  const { database, guildId } = options;
  const deadlineMs = performance.now() + database.settings.commandTimeoutMs;
  const ledgerId = await retried(deadlineMs, () => checkIdentity(database, guildId));
  database.expectLedger(ledgerId);
  const listeners = new Set<(appended: Appended) => void>();
  const core = ledgerCore(options, (appended) => {
    for (const listener of listeners) {
      listener(appended);
    }
  });
  await retried(deadlineMs, () => core.follow());
  if (core.memory().state.version === 0) {
    await retried(deadlineMs, () => writeOpening(core, ledgerId));
    await retried(deadlineMs, () => core.follow());
  }
  return ledgerOn(core, listeners, options.maxBatch ?? 500);
}

async function checkIdentity({ kysely }: Database, guildId: string): Promise<string> {
  const identity = await kysely
    .selectFrom("ledger_identity")
    .select(["guild_id", "ledger_id"])
    .executeTakeFirst();
  if (identity?.guild_id !== guildId) {
    throw new WrongLedger(
      identity === undefined
        ? "this database holds no ledger yet: migrate it first"
        : `this database holds the ledger of guild ${identity.guild_id}, not of ${guildId}`,
    );
  }
  return identity.ledger_id;
}

async function writeOpening(core: Core, ledgerId: string): Promise<void> {
  const batch = newBatch(core.memory(), core.guildId);
  record(batch, { atMs: Date.now() }, "leader", [openingEvent(ledgerId, core.guildId)]);
  // Another replica may have been first: then the head has moved and this writes nothing.
  await append(core.database.pool, {
    from: 0,
    fromHash: core.memory().state.headHash,
    to: 1,
    hash: batch.state.headHash,
    term: undefined,
    claims: [],
    rows: finishRows(batch),
    calls: [],
    batch: "opening",
    replica: core.replica,
  });
}

function ledgerCore(options: LedgerOptions, announce: (appended: Appended) => void): Core {
  const { database, guildId } = options;
  const replica = options.replica.id;
  const warn = options.warn ?? ((): void => undefined);
  let memory = emptyMemory();
  const reload = async (): Promise<void> => {
    warn({ version: memory.state.version }, "the ledger is not the one that was read: reading it again");
    const fresh = emptyMemory();
    await catchUp(database.pool, fresh);
    memory = fresh;
  };
  const follow = async (): Promise<void> => {
    try {
      await catchUp(database.pool, memory, announce);
    } catch (error) {
      if (!(error instanceof BrokenChain)) {
        throw error;
      }
      await reload();
    }
  };
  return {
    database,
    replica,
    guildId,
    warn,
    restore: options.restore ?? (() => undefined),
    memory: () => memory,
    follow,
    reload,
    async conclude(prepared, calls) {
      const owed = calls ?? (await callsOf(database.pool, prepared.batch));
      if (calls === undefined) {
        // Its answer was lost, so others may have appended since: read instead of merging.
        await follow();
      } else {
        merge(memory, prepared.work);
        for (const event of prepared.work.events) {
          announce({ seq: event.seq, atMs: event.atMs, event });
          forgetClosed(memory, event);
        }
      }
      answer(prepared, owed);
    },
  };
}

function merge(memory: Memory, { state, learned }: Batch): void {
  mergeState(state, memory.state);
  for (const [discordId, member] of learned.accounts) {
    learnAccount(memory, discordId, member);
  }
  for (const [auction, item] of learned.items) {
    memory.items.set(auction, item);
  }
}

function answer({ jobs, decided, to }: Prepared, { ids, messages }: AppendedCalls): void {
  let next = 0;
  jobs.forEach((job, index) => {
    const { decision, calls } = decided[index] ?? { decision: undefined, calls: [] };
    const outgoing = calls.map((call, offset) => outboxRow(ids[next + offset] ?? 0, call, 0, messages));
    next += calls.length;
    if (decision !== undefined) {
      job.resolve({ decision, outgoing, repeated: false, version: to });
    }
  });
}

function ledgerOn(core: Core, listeners: Set<(appended: Appended) => void>, maxBatch: number): GuildLedger {
  const queue: Job[] = [];
  const exclusive = mutex();
  let pumping: Promise<void> | undefined;
  let closed = false;
  const pump = async (): Promise<void> => {
    while (queue.length > 0) {
      await exclusive(() => settleBatch(core, takeBatch(queue, maxBatch)));
    }
    pumping = undefined;
  };
  // Every append notifies its own replica too, which has nothing to read then.
  const catchUpOnce = (version = 0): Promise<void> =>
    exclusive(async () => {
      if (version === 0 || version > core.memory().state.version) {
        await core.follow();
      }
    });
  return {
    execute: (request) =>
      new Promise((resolve, reject) => {
        if (closed) {
          reject(new Error("the ledger is closed"));
          return;
        }
        const deadlineMs = performance.now() + core.database.settings.commandTimeoutMs;
        queue.push({ request, deadlineMs, resolve, reject });
        pumping ??= pump();
      }),
    async preview(request) {
      await catchUpOnce();
      for (let targets: Awaited<ReturnType<typeof eventsAt>> = new Map(); ;) {
        const batch = newBatch(core.memory(), core.guildId);
        const result = decideNext(batch, request, targets, core.restore());
        if (!("missing" in result)) {
          return { decision: result.decision, view: viewOf(batch, request.atMs) };
        }
        targets = await eventsAt(core.database.pool, [result.missing]);
      }
    },
    state: () => core.memory().state,
    view: () => viewOf(newBatch(core.memory(), core.guildId), Date.now()),
    catchUp: catchUpOnce,
    onAppended(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async close() {
      closed = true;
      await pumping;
    },
  };
}

/** The next requests: no interaction twice and no two terms in one append. */
function takeBatch(queue: Job[], maxBatch: number): Job[] {
  const taken: Job[] = [];
  const left: Job[] = [];
  const interactions = new Set<string>();
  let term: bigint | undefined;
  for (const job of queue.splice(0)) {
    const { request } = job;
    const id = request.interaction?.id;
    const fits =
      taken.length < maxBatch &&
      (id === undefined || !interactions.has(id)) &&
      (term === undefined || request.term === undefined || request.term === term);
    (fits ? taken : left).push(job);
    if (fits) {
      term ??= request.term;
      interactions.add(id ?? "");
    }
  }
  queue.push(...left);
  return taken;
}

/** Runs what it is given one after the other. */
function mutex(): <Result>(task: () => Promise<Result>) => Promise<Result> {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const next = last.then(task, task);
    last = next.catch(() => undefined);
    return next;
  };
}
