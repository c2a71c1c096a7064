import type { Pool } from "pg";
import { decode } from "../ledger/codec.ts";
import type { AuctionId, LedgerEvent, MemberId, StoredEvent } from "../ledger/event.ts";
import { evolve } from "../ledger/evolve.ts";
import { chainHash } from "../ledger/hash.ts";
import { emptyState } from "../ledger/state.ts";
import type { State } from "../ledger/state.ts";
import type { Appended } from "./request.ts";

/** What a replica knows of its guild: the ledger's state, and the erasable texts that answers need. */
export type Memory = {
  readonly state: State;
  /** Discord account → member, and a member's first account. */
  readonly members: Map<string, MemberId>;
  readonly accounts: Map<MemberId, string>;
  /** The items of open auctions. */
  readonly items: Map<AuctionId, string>;
};

export function emptyMemory(): Memory {
  return { state: emptyState(), members: new Map(), accounts: new Map(), items: new Map() };
}

const pageSize = 2_000;

/**
 * Reads what the ledger has beyond the memory, checking the hash chain on the way, and tells each event once its page is
 * in the memory. No event is kept: a ledger may be larger than what the process may hold.
 * @throws Error when the chain is broken or an event is of a kind this program cannot read
 */
export async function catchUp(
  pool: Pool,
  memory: Memory,
  tell: (appended: Appended) => void = () => undefined,
): Promise<void> {
  for (;;) {
    const page = await nextPage(pool, memory.state);
    await learnTexts(pool, memory, page);
    for (const { event, hash } of page) {
      take(memory.state, event, hash);
    }
    for (const { event } of page) {
      tell({ seq: event.seq, atMs: event.atMs, event });
      forgetClosed(memory, event);
    }
    if (page.length < pageSize) {
      return;
    }
  }
}

/** Applies a stored event whose hash was checked. */
export function take(state: State, event: StoredEvent, hash: string): void {
  evolve(state, event, event);
  state.headHash = hash;
}

/** Forgets the items of auctions that an event has closed. */
export function forgetClosed(memory: Memory, event: LedgerEvent): void {
  if (event.type === "AuctionSettled" || event.type === "AuctionCancelled") {
    memory.items.delete(event.data.auction);
  }
}

/** An event that does not follow from the one before it. */
export class BrokenChain extends Error {
  override readonly name = "BrokenChain";

  constructor(seq: number) {
    super(`the ledger's hash chain is broken at event ${seq}`);
  }
}

type Link = { readonly event: StoredEvent; readonly hash: string };

async function nextPage(pool: Pool, { version, headHash }: State): Promise<Link[]> {
  const { rows } = await pool.query<{ body: string; hash: Buffer }>({
    name: "events-since",
    text: `select body, hash from event where seq > $1 order by seq limit ${pageSize}`,
    values: [version],
  });
  let previous = headHash;
  return rows.map((row, index) => {
    const event = decode(row.body);
    const hash = row.hash.toString("hex");
    if (event.seq !== version + index + 1 || chainHash(previous, row.body) !== hash) {
      throw new BrokenChain(version + index + 1);
    }
    previous = hash;
    return { event, hash };
  });
}

async function learnTexts(pool: Pool, memory: Memory, page: readonly Link[]): Promise<void> {
  const seqs = (type: LedgerEvent["type"]): number[] =>
    page.filter(({ event }) => event.type === type).map(({ event }) => event.seq);
  const registered = seqs("MemberRegistered");
  if (registered.length > 0) {
    const { rows } = await pool.query<{ discord_id: string; member: MemberId }>(
      "select discord_id, member from identity where seq = any($1)",
      [registered],
    );
    for (const { discord_id, member } of rows) {
      learnAccount(memory, discord_id, member);
    }
  }
  const started = seqs("AuctionStarted");
  if (started.length > 0) {
    const { rows } = await pool.query<{ seq: bigint; text: string }>(
      "select seq, text from free_text where field = 'item' and seq = any($1)",
      [started],
    );
    const texts = new Map(rows.map(({ seq, text }) => [Number(seq), text]));
    for (const { event } of page) {
      const text = texts.get(event.seq);
      if (event.type === "AuctionStarted" && text !== undefined) {
        memory.items.set(event.data.auction, text);
      }
    }
  }
}

export function learnAccount(memory: Memory, discordId: string, member: MemberId): void {
  memory.members.set(discordId, member);
  if (!memory.accounts.has(member)) {
    memory.accounts.set(member, discordId);
  }
}
