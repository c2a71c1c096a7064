import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { OutgoingCall } from "../../../bot/store/call.ts";
import type { Database } from "../../../bot/store/database.ts";
import { withIdentifyTurn } from "../../../bot/store/identify-turn.ts";
import { claim, finish, orphans, payloadOf, purge } from "../../../bot/store/inbox.ts";
import { abandoned, delivered, due, messageOf, retryLater } from "../../../bot/store/outbox.ts";
import { openPresence } from "../../../bot/store/presence.ts";
import type { PostgresServer } from "../../postgres/server.ts";
import { startPostgres } from "../../postgres/server.ts";
import { claimed, migratedDatabase, officer, replicaOn } from "./guild.ts";

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

function arrival(interactionId: string, replica: number) {
  return { interactionId, payload: { name: "dkp" }, token: "secret", replica, receivedAtMs: Date.now() };
}

const patient = { timeoutMs: 10_000 };

function reply(interactionId: string, expiresAtMs = Date.now() + 900_000): OutgoingCall {
  return {
    kind: "reply",
    applicationId: "1",
    interactionId,
    token: "t",
    expiresAtMs,
    body: { content: "ok" },
  };
}

async function bodies(database: Database, replica: number): Promise<unknown[]> {
  return (await due(database, replica, { limit: 10 })).map(({ call }) => call.body["content"]);
}

describe("claims", () => {
  test("go to exactly one replica; asking again for one's own is fine", async () => {
    const { database } = await migratedDatabase(server);
    const claims = await Promise.all(
      [1, 2, 3].map((replica) => claim(database, arrival("1", replica), patient)),
    );
    expect(claims.filter((one) => one.claimed)).toEqual([{ claimed: true, epoch: 1 }]);
    const winner = claims.findIndex((one) => one.claimed) + 1;
    expect(await claim(database, arrival("1", winner), patient)).toEqual({ claimed: true, epoch: 1 });
    expect(await payloadOf(database, "1")).toEqual({ name: "dkp" });
    expect(await payloadOf(database, "2")).toBeUndefined();
    await database.close();
  });

  test("give up in time when the database does not answer", async () => {
    const { database, open } = await migratedDatabase(server);
    const other = open();
    const blocker = await other.pool.connect();
    await blocker.query("begin; lock table inbox");
    await expect(claim(database, arrival("1", 1), { timeoutMs: 50 })).rejects.toThrow("timeout");
    await blocker.query("rollback");
    blocker.release();
    await vi.waitFor(async () => expect(await payloadOf(database, "1")).toBeDefined());
    expect(await claim(database, arrival("1", 1), patient)).toEqual({ claimed: true, epoch: 1 });
    await Promise.all([database.close(), other.close()]);
  });

  test("of a replica that died are taken over once; of one that lives, never", async () => {
    const { database } = await migratedDatabase(server);
    const [dead, living, heir] = [
      await openPresence(database),
      await openPresence(database),
      await openPresence(database),
    ];
    await claim(database, arrival("1", dead.id), patient);
    await claim(database, arrival("2", living.id), patient);
    expect(await orphans(database, heir.id, { graceMs: 0, inHand: [] })).toEqual([]);
    await dead.close();
    await vi.waitFor(async () => {
      const taken = await orphans(database, heir.id, { graceMs: 0, inHand: [] });
      expect(taken).toMatchObject([
        { interactionId: "1", epoch: 2, payload: { name: "dkp" }, token: "secret" },
      ]);
    });
    expect(await orphans(database, heir.id, { graceMs: 0, inHand: ["1"] })).toEqual([]);
    expect(await orphans(database, living.id, { graceMs: 0, inHand: ["2"] })).toEqual([]);
    expect(await finish(database, { id: "1", epoch: 1 }, [reply("1")])).toEqual([]);
    expect(await finish(database, { id: "1", epoch: 2 }, [reply("1")])).toHaveLength(1);
    await Promise.all([living.close(), heir.close()]);
    await database.close();
  });

  test("that a replica has and does not work on are its own to take up again", async () => {
    const { database } = await migratedDatabase(server);
    const [one, other] = [await openPresence(database), await openPresence(database)];
    await claim(database, arrival("1", one.id), patient);
    await claim(database, arrival("2", one.id), patient);
    expect(await orphans(database, other.id, { graceMs: 0, inHand: [] })).toEqual([]);
    const taken = await orphans(database, one.id, { graceMs: 0, inHand: ["1"] });
    expect(taken).toMatchObject([{ interactionId: "2", epoch: 2 }]);
    await Promise.all([one.close(), other.close()]);
    await database.close();
  });

  test("are forgotten after 15 minutes, with their tokens", async () => {
    const { database } = await migratedDatabase(server);
    await claim(database, { ...arrival("1", 1), receivedAtMs: Date.now() - 16 * 60_000 }, patient);
    await claim(database, arrival("2", 1), patient);
    await finish(database, { id: "2", epoch: 1 }, [reply("2", Date.now() - 1)]);
    expect(await purge(database)).toBe(2);
    expect(await payloadOf(database, "1")).toBeUndefined();
    await database.close();
  });
});

function edit(content: string): OutgoingCall {
  return { kind: "edit", subject: "auction:a1", body: { content } };
}

describe("owed calls", () => {
  test("are the committing replica's while it lives, and then anybody's", async () => {
    const { database } = await migratedDatabase(server);
    const [one, other] = [await openPresence(database), await openPresence(database)];
    await claim(database, arrival("1", one.id), patient);
    const [row] = await finish(database, { id: "1", epoch: 1 }, [reply("1")]);
    expect(row).toMatchObject({ call: { kind: "reply" }, attempts: 0 });
    expect(await due(database, other.id, { limit: 10 })).toEqual([]);
    await one.close();
    await vi.waitFor(async () =>
      expect(await due(database, other.id, { limit: 10 })).toMatchObject([{ id: row?.id }]),
    );
    await retryLater(database, row?.id ?? 0, { delayMs: 0 });
    const [again] = await due(database, other.id, { limit: 10 });
    expect(again).toMatchObject({ id: row?.id, nonce: row?.nonce, attempts: 1 });
    await delivered(database, [row?.id ?? 0]);
    expect(await due(database, other.id, { limit: 10 })).toEqual([]);
    await other.close();
    await database.close();
  });

  test("that edit a message wait for its post, know its place, and give way to newer edits", async () => {
    const { database } = await migratedDatabase(server);
    const ledger = await replicaOn(database);
    const [five, six] = [await openPresence(database), await openPresence(database)];
    const announce = async (...calls: OutgoingCall[]): Promise<void> => {
      const modes = { active: "readOnly", readOnly: "active", maintenance: "active" } as const;
      const mode = modes[ledger.state().mode.mode];
      await ledger.execute({
        atMs: 1,
        actor: officer,
        command: { type: "setMode", mode },
        render: () => calls,
      });
    };
    const post: OutgoingCall = {
      kind: "post",
      channelId: "7",
      body: { content: "post" },
      subject: "auction:a1",
    };
    await announce(post, edit("first"));
    // The ledger's replica has no presence here, so its calls are anybody's.
    const [posted] = await due(database, five.id, { limit: 10 });
    expect(posted).toMatchObject({ call: { kind: "post" } });
    expect(await bodies(database, six.id)).toEqual([]);
    await announce(edit("second"));
    await delivered(database, [posted?.id ?? 0], [{ id: posted?.id ?? 0, channelId: "7", messageId: "70" }]);
    const [newest, ...older] = await due(database, five.id, { limit: 10 });
    expect(newest).toMatchObject({ call: edit("second"), message: { channelId: "7", messageId: "70" } });
    expect(older).toEqual([]);
    await delivered(database, [newest?.id ?? 0]);
    expect(await bodies(database, five.id)).toEqual([]);
    expect(await messageOf(database, "auction:a1")).toEqual({ channelId: "7", messageId: "70" });
    await announce(edit("third"));
    const [third] = await due(database, five.id, { limit: 10 });
    await abandoned(database, third?.id ?? 0, "message deleted");
    expect(await bodies(database, five.id)).toEqual([]);
    await Promise.all([five.close(), six.close()]);
    await database.close();
  });

  test("commit with the decision they tell", async () => {
    const { database } = await migratedDatabase(server);
    const ledger = await replicaOn(database);
    const interaction = await claimed(database, ledger.replica, "1");
    const refused = await ledger.execute({
      atMs: 1,
      actor: officer,
      interaction,
      command: { type: "cancelAuction", auction: "a9" },
      render: (decision) => ("refusal" in decision ? [reply("1")] : []),
    });
    expect(refused.outgoing).toMatchObject([{ call: { interactionId: "1" } }]);
    const rows = await database.kysely.selectFrom("outbox").selectAll().execute();
    expect(rows).toMatchObject([{ interaction_id: "1", lease_owner: ledger.replica }]);
    await database.close();
  });
});

describe("presence", () => {
  test("hears of appends, and leads alone until its connection is lost", async () => {
    const { database } = await migratedDatabase(server);
    const heard: number[] = [];
    const one = await openPresence(database, {
      onNotified: (version) => heard.push(version),
      heartbeatMs: 50,
    });
    const other = await openPresence(database);
    const ledger = await replicaOn(database);
    await vi.waitFor(() => expect(heard).toContain(ledger.state().version));
    expect([await one.tryLead(), await other.tryLead()]).toEqual([true, false]);
    await database.pool.query(
      `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objid = $1`,
      [one.id],
    );
    await vi.waitFor(() => expect(heard.at(-1)).toBe(0), { timeout: 10_000 });
    expect(one.leading()).toBe(false);
    expect(one.alive()).toBe(true);
    expect(await other.tryLead()).toBe(true);
    await Promise.all([one.close(), other.close()]);
    await database.close();
  });

  test("is shown again although the server still holds the session that the network lost", async () => {
    const { database } = await migratedDatabase(server);
    const presence = await openPresence(database, { heartbeatMs: 50 });
    const ghost = await database.connect();
    const held = ghost.query(
      `select pg_advisory_lock_shared(classid::bigint::integer, objid::bigint::integer)
       from pg_locks where locktype = 'advisory' and objid = $1`,
      [presence.id],
    );
    const locks = "select 1 from pg_locks where locktype = 'advisory' and objid = $1";
    await vi.waitFor(async () => {
      expect((await database.pool.query(locks, [presence.id])).rowCount).toBe(2);
    });
    await database.pool.query(
      `select pg_terminate_backend(pid) from (select pid from pg_stat_activity join pg_locks using (pid)
         where locktype = 'advisory' and objid = $1 order by backend_start limit 1) as first`,
      [presence.id],
    );
    await held;
    await vi.waitFor(() => expect(presence.alive()).toBe(false), { interval: 5 });
    await vi.waitFor(() => expect(presence.alive()).toBe(true), { timeout: 5_000 });
    await ghost.end();
    await presence.close();
    await database.close();
  });

  test("lets one replica identify at a time, spaced", async () => {
    const { database } = await migratedDatabase(server);
    let inside = 0;
    const starts: number[] = [];
    const identify = async (): Promise<void> => {
      inside += 1;
      expect(inside).toBe(1);
      starts.push(performance.now());
      await database.pool.query("select pg_sleep(0.05)");
      inside -= 1;
    };
    const { signal } = new AbortController();
    await Promise.all([1, 2, 3].map(() => withIdentifyTurn(database, 400, signal, identify)));
    const gaps = starts.slice(1).map((time, index) => time - (starts[index] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThan(350);
    await database.close();
  });
});
