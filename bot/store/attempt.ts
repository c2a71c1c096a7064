import { randomBytes } from "node:crypto";
import type { Pool } from "pg";
import { append } from "./append.ts";
import type { AppendedCalls } from "./append.ts";
import { decideNext, finishRows, newBatch } from "./batch.ts";
import type { Batch, Decided } from "./batch.ts";
import type { LedgerEvent } from "../ledger/event.ts";
import type { Core } from "./guild-ledger.ts";
import { eventsAt } from "./recovery.ts";
import type { Attempt } from "./recovery.ts";
import type { Executed, Request } from "./request.ts";
import { decisionText } from "./stored-decision.ts";

/** A request that waits for its decision. */
export type Job = {
  readonly request: Request;
  /** By performance.now(). */
  readonly deadlineMs: number;
  resolve(executed: Executed): void;
  reject(error: unknown): void;
};

/** A request whose command or rendering threw: nothing of the batch was written. */
export class Faulty extends Error {
  readonly job: Job;

  constructor(job: Job, cause: unknown) {
    super("a request could not be decided", { cause });
    this.job = job;
  }
}

/** A batch that is decided and ready to be appended. */
export type Prepared = Attempt & {
  readonly batch: string;
  readonly work: Batch;
  readonly from: number;
  readonly fromHash: string;
  readonly jobs: readonly Job[];
  readonly decided: readonly Decided[];
};

/** Decides requests in order on a fork of the memory; reads what undos name on the way. */
export async function prepare(core: Core, jobs: readonly Job[]): Promise<Prepared> {
  const memory = core.memory();
  const targets = new Map<number, LedgerEvent | undefined>();
  for (;;) {
    const work = newBatch(memory, core.guildId);
    const decided: Decided[] = [];
    const missing: number[] = [];
    for (const job of jobs) {
      const result = attempted(job, () => decideNext(work, job.request, targets, core.restore()));
      if ("missing" in result) {
        missing.push(result.missing);
        break;
      }
      decided.push(result);
    }
    if (missing.length === 0) {
      const { version: to, headHash: hash } = work.state;
      const batch = randomBytes(12).toString("base64url");
      const { version: from, headHash: fromHash } = memory.state;
      return { work, from, fromHash, to, hash, batch, jobs, decided };
    }
    for (const [seq, event] of await eventsAt(core.database.pool, missing)) {
      targets.set(seq, event);
    }
  }
}

function attempted<Result>(job: Job, decide: () => Result): Result {
  try {
    return decide();
  } catch (cause) {
    throw new Faulty(job, cause);
  }
}

/** Appends a prepared batch; undefined when the head or the term is another by now. */
export function write(pool: Pool, prepared: Prepared, replica: number): Promise<AppendedCalls | undefined> {
  const { work, from, fromHash, to, hash, batch, jobs, decided } = prepared;
  return append(pool, {
    from,
    fromHash,
    to,
    hash,
    batch,
    replica,
    term: jobs.find(({ request }) => request.term !== undefined)?.request.term,
    claims: jobs.flatMap(({ request: { interaction } }, index) => {
      const decision = decided[index]?.decision;
      return interaction === undefined || decision === undefined
        ? []
        : [{ ...interaction, decision: decisionText(decision) }];
    }),
    rows: finishRows(work),
    calls: decided.flatMap(({ calls }) => calls),
  });
}
