import type { Report } from "../crds/report.ts";
import type { Logger } from "../runtime/log.ts";
import { announcement } from "./announcement.ts";
import { pendingRegistration, type Registration } from "./discord/registration.ts";
import type { SessionStatus } from "./discord/session-ending.ts";
import type { ConfiguredRestore } from "./ledger/command.ts";
import type { State } from "./ledger/state.ts";
import { restoreReport } from "./restore.ts";
import type { GuildLedger } from "./store/request.ts";

type DatabaseFacts = Report["database"];

/** What this process knows about itself: probes read it, and the leader's report is made of it. */
export type Facts = {
  setDiscord(status: SessionStatus): void;
  setDatabase(database: DatabaseFacts): void;
  setRegistration(registration: Registration): void;
  /** The ledger that was opened, and the restore that the configuration names. */
  setLedger(ledger: GuildLedger, restore: () => ConfiguredRestore | undefined): void;
  /** Why the last change of mode could not be announced; undefined when it was. */
  setAnnouncement(fault: string | undefined): void;
  setLeading(leading: { term: bigint; since: Date }): void;
  /** Counts the sessions that Discord took; 0 before the first. */
  session(): number;
  /** Why this process cannot serve yet; nothing once it could. */
  problems(): string[];
  report(leader: string, botVersion: string): Report;
  /** Resolves when any of it changed. */
  changed(signal: AbortSignal): Promise<void>;
};

/**
 * A pod is ready once it served: the database was reached and Discord took the session, or refused it for a reason that
 * only people can mend and that is reported. Later outages of either do not make it unready: no other pod would be better
 * off, commands are kept for when the database is back, and a rollout must not be undone by them.
 */
export function botFacts(log: Logger): Facts {
  let discord: SessionStatus = { state: "Connecting", message: "The session with Discord is being opened." };
  let database: DatabaseFacts = { state: "Unreachable", message: "The database was not reached yet." };
  let registration = pendingRegistration();
  let leading = { term: 0n, since: new Date(0) };
  let ledger: (() => Pick<Report, "ledger" | "restore">) | undefined;
  let unannounced = "";
  let sessions = 0;
  let databaseOnce = false;
  let discordOnce = false;
  const change = announcement();

  return {
    setDiscord(status) {
      if (status.state === "Connected" || status.state === "NotInGuild") {
        sessions += 1;
      }
      discordOnce ||= status.state !== "Connecting" && status.state !== "Unreachable";
      discord = status;
      change.tell();
    },
    setDatabase(next) {
      if (next.state !== database.state) {
        const level = next.state === "Ok" ? "info" : "error";
        log[level]({ state: next.state }, next.message || "the database answers");
      }
      databaseOnce ||= next.state === "Ok";
      const before = database;
      database = next;
      if (next.state !== before.state || next.message !== before.message) {
        change.tell();
      }
    },
    setRegistration(next) {
      registration = next;
      change.tell();
    },
    setLedger(opened, restore) {
      ledger = () => ledgerReport(opened.state(), restore());
      opened.onAppended(({ event }) => {
        if (event.type === "LedgerRestored" || event.type === "RestoreConfirmed") {
          change.tell();
        }
      });
    },
    setAnnouncement(fault) {
      unannounced = fault === undefined ? "" : ` The change of mode could not be announced: ${fault}.`;
      change.tell();
    },
    setLeading(next) {
      leading = next;
      change.tell();
    },
    session: () => sessions,
    problems: () => [...(databaseOnce ? [] : [database.message]), ...(discordOnce ? [] : [discord.message])],
    report: (leader, botVersion) => ({
      version: 1,
      leader,
      term: Number(leading.term),
      since: leading.since.toISOString(),
      botVersion,
      discord: { state: discord.state, message: `${discord.message}${unannounced}`.slice(0, 512) },
      commands: registration,
      database,
      ...ledger?.(),
    }),
    changed: (signal) => change.heard(signal),
  };
}

function ledgerReport(
  state: State,
  configured: ConfiguredRestore | undefined,
): Pick<Report, "ledger" | "restore"> {
  return {
    ledger: { version: state.version, hash: state.headHash },
    ...restoreReport(state, configured),
  };
}
