import type { Actor, AuctionId, EventType, MemberId, PoolName, StoredEvent } from "../ledger/event.ts";
import { decode } from "../ledger/codec.ts";
import type { Database } from "./database.ts";

export type AuctionRow = {
  auction: AuctionId;
  entry: number;
  pool: PoolName;
  status: "open" | "settled" | "cancelled" | "undone";
  minimumBid: bigint;
  increment: bigint;
  startedBy: Actor;
  startsAtMs: number;
  endsAtMs: number;
  leader: MemberId | undefined;
  leadingAmount: bigint | undefined;
  bidCount: number;
  closedEntry: number | undefined;
  /** Undefined after an erasure. */
  item: string | undefined;
};

/** The open auctions, the next to end first. */
export function openAuctions(database: Database): Promise<AuctionRow[]> {
  return auctions(database, { open: true });
}

/** One auction, open or not. */
export async function auction(database: Database, id: AuctionId): Promise<AuctionRow | undefined> {
  const [row] = await auctions(database, { id });
  return row;
}

async function auctions(
  { kysely }: Database,
  { open, id }: { open?: boolean; id?: AuctionId },
): Promise<AuctionRow[]> {
  const rows = await kysely
    .selectFrom("auction as a")
    .leftJoin("free_text as item", (join) =>
      join.onRef("item.seq", "=", "a.entry").on("item.field", "=", "item"),
    )
    .selectAll("a")
    .select("item.text as item")
    .$if(open === true, (query) => query.where("a.status", "=", "open"))
    .$if(id !== undefined, (query) => query.where("a.auction", "=", id ?? ""))
    .orderBy("a.ends_at")
    .orderBy("a.entry")
    .execute();
  return rows.map((row) => ({
    auction: row.auction as AuctionId,
    entry: Number(row.entry),
    pool: row.pool,
    status: row.status,
    minimumBid: row.minimum_bid,
    increment: row.increment,
    startedBy: row.started_by as Actor,
    startsAtMs: row.starts_at.getTime(),
    endsAtMs: row.ends_at.getTime(),
    leader: (row.leader as MemberId | null) ?? undefined,
    leadingAmount: row.leading_amount ?? undefined,
    bidCount: row.bid_count,
    closedEntry: row.closed_seq === null ? undefined : Number(row.closed_seq),
    item: row.item ?? undefined,
  }));
}

export type EntryRow = {
  event: StoredEvent;
  /** The reason given, or the item of an auction. */
  text: string | undefined;
};

/** Event types that `undo` takes back. */
const undoable: readonly EventType[] = ["PointsAwarded", "PointsDeducted", "AuctionSettled", "EventReversed"];

/** The newest entries that can still be undone; of one actor, if one is given. */
export async function undoableEntries(
  { kysely }: Database,
  { limit, actor }: { limit: number; actor?: Actor },
): Promise<EntryRow[]> {
  const rows = await kysely
    .selectFrom("event as e")
    .leftJoin("reversal as r", "r.target", "e.seq")
    .leftJoin("free_text as t", (join) => join.onRef("t.seq", "=", "e.seq").on("t.field", "=", "reason"))
    .leftJoin("auction as a", "a.closed_seq", "e.seq")
    .leftJoin("free_text as i", (join) => join.onRef("i.seq", "=", "a.entry").on("i.field", "=", "item"))
    .select(["e.body", "t.text as reason", "i.text as item"])
    .where("e.type", "in", undoable)
    .where("r.target", "is", null)
    .orderBy("e.seq", "desc")
    // Auctions without a winner and reversals of reversals are told apart by their bodies.
    .limit(limit * 4)
    .execute();
  return rows
    .map(({ body, reason, item }) => ({ event: decode(body), text: item ?? reason ?? undefined }))
    .filter(({ event }) => isUndoable(event) && (actor === undefined || event.actor === actor))
    .slice(0, limit);
}

function isUndoable(event: StoredEvent): boolean {
  return event.type === "AuctionSettled"
    ? event.data.winner !== undefined
    : event.type !== "EventReversed" || event.data.reinstates === undefined;
}

/** One event of the ledger with the text that belongs to it. */
export async function entry({ kysely }: Database, seq: number): Promise<EntryRow | undefined> {
  const row = await kysely
    .selectFrom("event as e")
    .leftJoin("free_text as t", "t.seq", "e.seq")
    .select(["e.body", "t.text"])
    .where("e.seq", "=", BigInt(seq))
    .executeTakeFirst();
  return row && { event: decode(row.body), text: row.text ?? undefined };
}
