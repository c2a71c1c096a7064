import type { Kysely } from "kysely";
import type { Actor, AuctionId, EventType, MemberId, PoolName } from "../ledger/event.ts";
import type { Queried } from "./reader.ts";
import type { DiscordAccount } from "./request.ts";
import type { Tables } from "./tables.ts";

export type BalanceRow = { pool: PoolName; amount: bigint; held: bigint };

/** A member's balances in hundredths; a pool without a row has its start points coming. */
export async function balances({ kysely }: Queried, member: MemberId): Promise<BalanceRow[]> {
  return kysely
    .selectFrom("balance")
    .select(["pool", "amount", "held"])
    .where("member", "=", member)
    .orderBy("pool")
    .execute();
}

export type StandingRow = {
  member: MemberId;
  amount: bigint;
  held: bigint;
  discordId: string | undefined;
  name: string | undefined;
};

/** A pool's members by balance, the highest first. */
export async function standings(
  { kysely }: Queried,
  { pool, limit, offset = 0 }: { pool: PoolName; limit: number; offset?: number },
): Promise<StandingRow[]> {
  const rows = await kysely
    .selectFrom("balance")
    .select(["member", "amount", "held"])
    .where("pool", "=", pool)
    .orderBy("amount", "desc")
    .orderBy("member")
    .limit(limit)
    .offset(offset)
    .execute();
  const accounts = await accountsOf(
    kysely,
    rows.map(({ member }) => member),
  );
  return rows.map(({ member, amount, held }) => {
    const account = accounts.get(member);
    return {
      member: member as MemberId,
      amount,
      held,
      discordId: account?.discordId,
      name: account?.name,
    };
  });
}

/** How many members a pool has. */
export async function standingsCount({ kysely }: Queried, pool: PoolName): Promise<number> {
  const row = await kysely
    .selectFrom("balance")
    .select(({ fn }) => fn.countAll<bigint>().as("count"))
    .where("pool", "=", pool)
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

export type HistoryRow = {
  seq: number;
  pool: PoolName;
  kind: EventType;
  /** Signed. */
  amount: bigint;
  balance: bigint;
  auction: AuctionId | undefined;
  /** The item of that auction, or the reason given; undefined after an erasure. */
  text: string | undefined;
  actor: Actor;
  atMs: number;
  /** The reversal that took it back. */
  reversedBy: number | undefined;
};

/** What happened to a member's balances, the newest first; `before` continues after the last seq of a page. */
export async function history(
  { kysely }: Queried,
  member: MemberId,
  { pool, before, limit }: { pool?: PoolName; before?: number; limit: number },
): Promise<HistoryRow[]> {
  const rows = await kysely
    .selectFrom("history as h")
    .leftJoin("free_text as reason", (join) =>
      join.onRef("reason.seq", "=", "h.seq").on("reason.field", "=", "reason"),
    )
    .leftJoin("auction as a", "a.auction", "h.auction")
    .leftJoin("free_text as item", (join) =>
      join.onRef("item.seq", "=", "a.entry").on("item.field", "=", "item"),
    )
    .leftJoin("reversal as r", "r.target", "h.seq")
    .select(["h.seq", "h.pool", "h.kind", "h.amount", "h.balance", "h.auction", "h.actor", "h.at"])
    .select(["reason.text as reason", "item.text as item", "r.seq as reversed_by"])
    .where("h.member", "=", member)
    .$if(pool !== undefined, (query) => query.where("h.pool", "=", pool ?? ""))
    .$if(before !== undefined, (query) => query.where("h.seq", "<", BigInt(before ?? 0)))
    .orderBy("h.seq", "desc")
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    seq: Number(row.seq),
    pool: row.pool,
    kind: row.kind as EventType,
    amount: row.amount,
    balance: row.balance,
    auction: (row.auction as AuctionId | null) ?? undefined,
    text: row.item ?? row.reason ?? undefined,
    actor: row.actor as Actor,
    atMs: row.at.getTime(),
    reversedBy: row.reversed_by === null ? undefined : Number(row.reversed_by),
  }));
}

/** The account as it was registered; undefined for one that the ledger does not know. */
export async function accountOf({ kysely }: Queried, discordId: string): Promise<DiscordAccount | undefined> {
  const row = await kysely
    .selectFrom("identity")
    .select("name")
    .where("discord_id", "=", discordId)
    .executeTakeFirst();
  return row && { discordId, ...(row.name === null ? {} : { name: row.name }) };
}

/** The member of a Discord account. */
export async function memberOf({ kysely }: Queried, discordId: string): Promise<MemberId | undefined> {
  const row = await kysely
    .selectFrom("identity")
    .select("member")
    .where("discord_id", "=", discordId)
    .executeTakeFirst();
  return row?.member as MemberId | undefined;
}

async function accountsOf(
  kysely: Kysely<Tables>,
  members: readonly string[],
): Promise<Map<string, { discordId: string; name: string | undefined }>> {
  if (members.length === 0) {
    return new Map();
  }
  const rows = await kysely
    .selectFrom("identity")
    .select(["member", "discord_id", "name"])
    .where("member", "in", members)
    .orderBy("seq", "desc")
    .execute();
  // A member's first account speaks for it.
  return new Map(
    rows.map(({ member, discord_id, name }) => [member, { discordId: discord_id, name: name ?? undefined }]),
  );
}
