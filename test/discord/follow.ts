import type { Interaction, InteractionRecord, Message, Modal, Patience } from "./driver.ts";

const patienceMs = 30_000;

/** What an interaction's driver needs: its record now, and a wait for a condition. */
export type RecordSource = {
  id: string;
  record(): Promise<InteractionRecord>;
  /** Resolves with the first record that satisfies the condition, or with the last one when the time is over. */
  wait(condition: (record: InteractionRecord) => boolean, timeoutMs: number): Promise<InteractionRecord>;
};

/** The waits of an interaction, over either driver. */
export function interaction(source: RecordSource): Interaction {
  const until: Interaction["until"] = async (condition, { timeoutMs = patienceMs } = {}) => {
    const record = await source.wait(condition, timeoutMs);
    if (condition(record)) return record;
    throw new Error(
      `interaction ${source.id} is ${record.state} after ${timeoutMs} ms: ${JSON.stringify(record)}`,
    );
  };
  const orFailed = async <T>(
    pick: (record: InteractionRecord) => T | null,
    patience: Patience | undefined,
  ): Promise<T> => {
    const record = await until((found) => pick(found) !== null || found.state === "failed", patience);
    const picked = pick(record);
    if (picked !== null) return picked;
    throw new Error(`interaction ${source.id} failed: ${record.failure}`);
  };
  return {
    id: source.id,
    until,
    record: () => source.record(),
    acknowledged: (patience) =>
      orFailed((record) => (record.acknowledgedAtMs === null ? null : record), patience),
    reply: (patience) =>
      orFailed((record): Message | null => (record.state === "answered" ? answerOf(record) : null), patience),
    modal: (patience) => orFailed((record): Modal | null => record.modal, patience),
    async failed(patience) {
      const record = await until(settled, patience);
      if (record.failure !== null) return record.failure;
      throw new Error(`interaction ${source.id} was answered: ${JSON.stringify(record.original?.content)}`);
    },
  };
}

function settled({ state }: InteractionRecord): boolean {
  return state === "failed" || state === "answered";
}

function answerOf({ callback, original, followups }: InteractionRecord): Message | null {
  const deferredUpdate = callback === 6;
  return deferredUpdate ? (followups[0] ?? original) : original;
}
