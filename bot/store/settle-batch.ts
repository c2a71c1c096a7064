import { setTimeout as pause } from "node:timers/promises";
import { Faulty, prepare, write } from "./attempt.ts";
import type { Job, Prepared } from "./attempt.ts";
import { ClaimLost, DatabaseAway, TermLost, isTransient, sqlState } from "./failure.ts";
import type { Core } from "./guild-ledger.ts";
import { claimsOf, owedFor, tookPlace } from "./recovery.ts";

/** Raised by the append itself (migrations/0001-ledger.ts). */
const claimRefused = "DK001";
const uniqueViolation = "23505";

/**
 * Brings every job of a batch to its end, over lost races, lost claims and lost databases. Never throws: each job is
 * answered by its own promise.
 */
export async function settleBatch(core: Core, batch: readonly Job[]): Promise<void> {
  // Appends that may have happened although no answer came: looked for before anything is decided again.
  const unheard: Prepared[] = [];
  let open = batch;
  for (let pauseMs = 25; open.length > 0;) {
    try {
      open = await advance(core, open, unheard);
      pauseMs = 25;
    } catch (error) {
      if (!isTransient(error)) {
        open.forEach((job) => job.reject(error));
        return;
      }
      core.warn({ error: String(error), waiting: open.length }, "the database is away: trying again");
      open = withoutExpired(open, error);
      await pause(pauseMs * (0.5 + Math.random()));
      pauseMs = Math.min(pauseMs * 2, 1_000);
    }
  }
}

/** One attempt; returns the jobs that are still open. */
async function advance(core: Core, jobs: readonly Job[], unheard: Prepared[]): Promise<readonly Job[]> {
  const { pool } = core.database;
  for (const attempt of unheard) {
    if (await isWritten(core, attempt)) {
      await core.conclude(attempt);
      const answered = new Set(attempt.jobs);
      return jobs.filter((job) => !answered.has(job));
    }
  }
  let prepared: Prepared;
  try {
    prepared = await prepare(core, jobs);
  } catch (error) {
    if (error instanceof Faulty) {
      error.job.reject(error.cause);
      return jobs.filter((job) => job !== error.job);
    }
    throw error;
  }
  try {
    const calls = await write(pool, prepared, core.replica);
    if (calls !== undefined) {
      await core.conclude(prepared, calls);
      return [];
    }
  } catch (error) {
    if (isTransient(error)) {
      unheard.push(prepared);
      throw error;
    }
    const state = sqlState(error);
    if (state !== claimRefused && state !== uniqueViolation) {
      throw error;
    }
    return withoutClaimed(core, jobs, error);
  }
  return afterLostRace(core, jobs);
}

/** Without events there is nothing to look for: its claims tell (`withoutClaimed`) when it is tried again. */
function isWritten(core: Core, attempt: Prepared): Promise<boolean> {
  return attempt.to > attempt.from ? tookPlace(core.database.pool, attempt) : Promise.resolve(false);
}

async function afterLostRace(core: Core, jobs: readonly Job[]): Promise<readonly Job[]> {
  await core.follow();
  const { version, headHash } = core.memory().state;
  const head = await core.database.kysely
    .selectFrom("stream")
    .select(["version", "hash", "term"])
    .executeTakeFirstOrThrow();
  const wentBack = Number(head.version) < version;
  // A failover may have lost events whose numbers others have used again since.
  const isAnother = Number(head.version) === version && head.hash.toString("hex") !== headHash;
  if (wentBack || isAnother) {
    await core.reload();
  }
  return jobs.filter((job) => {
    const { request } = job;
    const lost = request.term !== undefined && request.term !== head.term;
    if (lost) {
      job.reject(new TermLost(`term ${request.term} is over, it is ${head.term} now`));
    }
    return !lost;
  });
}

/** Ends the jobs whose interaction was answered before, or whose claim is another replica's or gone. */
async function withoutClaimed(core: Core, jobs: readonly Job[], cause: unknown): Promise<readonly Job[]> {
  const { pool } = core.database;
  const claims = await claimsOf(
    pool,
    jobs.flatMap(({ request }) => request.interaction ?? []),
  );
  if ([...claims.values()].every((claim) => claim === "open")) {
    // The claims are ours and yet the append was refused: no other attempt will fare better.
    throw new Error("an append was refused for no known reason", { cause });
  }
  const open: Job[] = [];
  for (const job of jobs) {
    const { interaction } = job.request;
    const claim = interaction === undefined ? "open" : (claims.get(interaction.id) ?? "lost");
    if (claim === "open") {
      open.push(job);
    } else if (interaction === undefined || claim === "lost" || claim.answered === undefined) {
      job.reject(new ClaimLost("the claim of this interaction is another's or gone", { cause }));
    } else {
      const outgoing = await owedFor(pool, interaction.id, core.replica);
      job.resolve({ decision: claim.answered, outgoing, repeated: true, version: claim.version });
    }
  }
  return open;
}

function withoutExpired(jobs: readonly Job[], cause: unknown): Job[] {
  const nowMs = performance.now();
  return jobs.filter((job) => {
    if (job.deadlineMs > nowMs) {
      return true;
    }
    job.reject(new DatabaseAway("the database stayed away for too long", { cause }));
    return false;
  });
}
