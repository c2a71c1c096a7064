import { LEASE_SECONDS } from "./append.ts";
import type { OutboxRow, OutgoingCall } from "./call.ts";
import type { Database } from "./database.ts";
import { livingReplicas } from "./presence.ts";
import { outboxRow } from "./recovery.ts";

export type Place = { readonly id: number; readonly channelId: string; readonly messageId: string };

/**
 * Leases calls that are owed and that nobody is delivering: new ones, ones put off until now, and those of a replica
 * that is gone. Of several edits of a message only the newest, and none before the message was posted.
 */
export async function due(
  { pool }: Database,
  replica: number,
  { limit }: { readonly limit: number },
): Promise<OutboxRow[]> {
  const { rows } = await pool.query<{
    id: bigint;
    call: string;
    attempts: number;
    subject: string | null;
    place: { channelId: string; messageId: string } | null;
  }>({
    name: "due",
    text: `with living as materialized (${livingReplicas}), owed as (
        select id from outbox o
        where finished_at is null and available_at <= now() and (expires_at is null or expires_at > now())
          and (lease_until is null or lease_until < now() or lease_owner not in (select id from living))
          and not (edits and exists (select from outbox other where other.subject = o.subject
            and other.finished_at is null and (other.edits and other.id > o.id or not other.edits and other.id < o.id)))
        order by id limit $2 for update skip locked)
      update outbox set lease_owner = $1, lease_until = now() + interval '${LEASE_SECONDS} seconds'
      from owed where outbox.id = owed.id
      returning outbox.id, call, attempts, subject, (select json_build_object('channelId', m.channel_id, 'messageId',
        m.message_id) from message m where m.subject = outbox.subject and outbox.edits) as place`,
    values: [replica, limit],
  });
  return rows
    .map((row) =>
      outboxRow(
        Number(row.id),
        JSON.parse(row.call) as OutgoingCall,
        row.attempts,
        row.place === null || row.subject === null ? {} : { [row.subject]: row.place },
      ),
    )
    .sort((one, other) => one.id - other.id);
}

/** Notes that calls were delivered, and where their messages are; older edits of the same messages are owed no more. */
export async function delivered(
  { pool }: Database,
  ids: readonly number[],
  places: readonly Place[] = [],
): Promise<void> {
  await pool.query({
    name: "delivered",
    text: `with done as (
        update outbox set finished_at = now(), lease_until = null where id = any($1::bigint[])
        returning id, subject, edits
      ), older as (
        update outbox o set finished_at = now(), abandoned = 'superseded' from done
        where o.subject = done.subject and o.edits and done.edits and o.id < done.id and o.finished_at is null
          and not o.id = any($1::bigint[])
      )
      insert into message (subject, channel_id, message_id)
      select done.subject, p."channelId", p."messageId"
      from done join json_to_recordset($2::json) as p(id bigint, "channelId" text, "messageId" text) using (id)
      where done.subject is not null
      on conflict (subject) do update set channel_id = excluded.channel_id, message_id = excluded.message_id`,
    values: [ids, JSON.stringify(places)],
  });
}

/** Puts a call off that could not be delivered now. */
export async function retryLater(
  { pool }: Database,
  id: number,
  { delayMs }: { readonly delayMs: number },
): Promise<void> {
  await pool.query(
    `update outbox set available_at = now() + $2 * interval '1 millisecond', lease_until = null,
       attempts = attempts + 1 where id = $1`,
    [id, delayMs],
  );
}

/** Gives a call up; `reason` stays with it for whoever looks. */
export async function abandoned({ pool }: Database, id: number, reason: string): Promise<void> {
  await pool.query(
    "update outbox set finished_at = now(), lease_until = null, abandoned = $2 where id = $1",
    [id, reason],
  );
}

/** Where the message of a subject is; undefined until its post was delivered. */
export async function messageOf(
  { kysely }: Database,
  subject: string,
): Promise<{ channelId: string; messageId: string } | undefined> {
  const row = await kysely
    .selectFrom("message")
    .select(["channel_id", "message_id"])
    .where("subject", "=", subject)
    .executeTakeFirst();
  return row && { channelId: row.channel_id, messageId: row.message_id };
}
