import { describe, expect, test } from "vitest";
import type { Command, RecordRestore } from "../../../bot/ledger/command.ts";
import { pendingRestore } from "../../../bot/ledger/decide-restore.ts";
import { ledgerWith, start } from "./given.ts";

const target = "2026-11-20T20:00:00Z";
const noted: RecordRestore = {
  type: "recordRestore",
  restore: "uid-1",
  from: "night-watch-db",
  target,
  head: { version: 120, hash: "ab".repeat(32) },
};
const award: Command = { type: "award", amount: 500n, members: ["m1"] };

describe("a restored ledger", () => {
  test("refuses changes as soon as the configuration names a restore that it does not know", () => {
    const ledger = ledgerWith(1);
    const restore = { id: "uid-1", target };
    expect(ledger.run(award, { restore })).toEqual({ code: "RESTORED", target });
    expect(ledger.run({ type: "confirmRestore" }, { restore })).toEqual({ code: "RESTORE_NOT_NOTED" });
    expect(ledger.run({ type: "setMode", mode: "readOnly" }, { restore })).toMatchObject({
      mode: "readOnly",
    });
  });

  test("notes its restore once, with the head that was abandoned", () => {
    const ledger = ledgerWith(1);
    expect(ledger.accepted(noted).events).toEqual([
      {
        type: "LedgerRestored",
        version: 1,
        data: {
          restore: "uid-1",
          from: "night-watch-db",
          target,
          head: { version: 120, hash: "ab".repeat(32) },
        },
      },
    ]);
    expect(ledger.run(noted)).toEqual({ kind: "unchanged" });
  });

  test("refuses every change until an officer confirms, whatever the configuration says by then", () => {
    const ledger = ledgerWith(1);
    ledger.accepted({ type: "award", amount: 1000n, members: ["m1"] });
    ledger.accepted({
      type: "startAuction",
      item: { text: "Sword", salt: "00", commitment: "c" },
      durationMs: 60_000,
    });
    ledger.accepted(noted);
    const changes: Command[] = [
      award,
      { type: "deduct", amount: 500n, members: ["m1"] },
      { type: "undo", entry: 2 },
      { type: "placeBid", auction: "a1", member: "m1", amount: 500n, bid: "9", bidAtMs: start },
      { type: "closeAuction", auction: "a1", by: "due" },
      { type: "cancelAuction", auction: "a1" },
      { type: "setRules", source: "discord", settings: { locale: "de" } },
    ];
    for (const change of changes) {
      expect(ledger.run(change, { atMs: start + 1000 }), change.type).toEqual({ code: "RESTORED", target });
    }
    expect(ledger.run({ type: "setRules", source: "git", settings: { locale: "de" } })).toMatchObject({
      kind: "rulesChanged",
    });
    expect(ledger.run({ type: "confirmRestore" })).toMatchObject({
      kind: "restoreConfirmed",
      openAuctions: 1,
      target,
    });
    expect(pendingRestore(ledger.state, { id: "uid-1" })).toBeUndefined();
    expect(ledger.run(award)).toMatchObject({ kind: "awarded" });
    expect(ledger.run({ type: "confirmRestore" })).toEqual({ code: "NOTHING_RESTORED" });
  });

  test("confirms in maintenance too, and stays in it", () => {
    const ledger = ledgerWith(1);
    ledger.accepted(noted);
    ledger.accepted({ type: "setMode", mode: "maintenance" });
    expect(ledger.run({ type: "confirmRestore" })).toMatchObject({ kind: "restoreConfirmed" });
    expect(ledger.run(award)).toEqual({ code: "MAINTENANCE" });
  });

  test("restored again to a time before its first restore waits for its own confirmation", () => {
    const ledger = ledgerWith(1);
    ledger.accepted(noted);
    ledger.accepted({ type: "confirmRestore" });
    ledger.accepted({ ...noted, restore: "uid-2" });
    expect(ledger.run(award)).toEqual({ code: "RESTORED", target });
    // The operator still names the first one for a moment: that one is known.
    expect(pendingRestore(ledger.state, { id: "uid-1" })).toMatchObject({ id: "uid-2" });
  });
});

describe("the channel that changes of mode are told in", () => {
  test("is that of the beginning when maintenance ends without naming one, and then forgotten", () => {
    const ledger = ledgerWith(0);
    expect(ledger.run({ type: "setMode", mode: "maintenance", channel: "1" })).toEqual({
      kind: "modeChanged",
      mode: "maintenance",
      before: "active",
      channel: "1",
    });
    expect(ledger.run({ type: "setMode", mode: "active" })).toMatchObject({
      before: "maintenance",
      channel: "1",
    });
    expect(ledger.run({ type: "setMode", mode: "maintenance" })).not.toHaveProperty("channel");
  });
});
