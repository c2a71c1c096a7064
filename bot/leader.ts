import type { KubeClient } from "../runtime/kube/client.ts";
import type { Logger } from "../runtime/log.ts";
import type { BotSettings } from "./config.ts";
import type { Facts } from "./facts.ts";
import { closeAuctions } from "./jobs/auction-closing.ts";
import type { ConfigFeed } from "./jobs/config-feed.ts";
import { applyGitRules } from "./jobs/git-rules.ts";
import { lead, type Job } from "./jobs/lead.ts";
import type { Lead } from "./jobs/leadership.ts";
import { periodically } from "./jobs/periodic.ts";
import { keepRegistered } from "./jobs/registration.ts";
import { keepReport } from "./jobs/report.ts";
import { configuredRestore } from "./restore.ts";
import type { Serving } from "./serve.ts";
import { purge } from "./store/inbox.ts";
import { raiseTerm } from "./store/leader-term.ts";
import type { Store } from "./store-opening.ts";

export type LeaderOptions = {
  settings: BotSettings;
  version: string;
  identity: string;
  cluster: { client: KubeClient; namespace: string } | undefined;
  facts: Facts;
  /** Pending as long as the database is away: leading begins without it, so that its absence is reported. */
  store: Promise<Store>;
  serving: Promise<Serving>;
  config: ConfigFeed;
  log: Logger;
};

/** How often what is over is removed: interactions after 15 minutes, delivered calls. */
const retentionPeriodMs = 60_000;

/** Everything that only the leader does, for as long as it leads. */
export function leaderJobs(options: LeaderOptions): Lead {
  const { settings, cluster, facts, log } = options;
  return async (signal) => {
    const reporting =
      cluster === undefined || settings.lease === undefined
        ? Promise.resolve()
        : keepReport({
            ...cluster,
            name: settings.lease.reportName,
            facts: () => facts.report(options.identity, options.version),
            changed: (until) => facts.changed(until),
            signal,
            log,
          });
    await Promise.all([reporting, whenOpen(options, signal)]);
  };
}

async function whenOpen(options: LeaderOptions, signal: AbortSignal): Promise<void> {
  const { facts, log } = options;
  const opened = await Promise.race([Promise.all([options.store, options.serving]), ended(signal)]).catch(
    () => undefined, // The shutdown began before the database was there.
  );
  if (opened === undefined) {
    return;
  }
  const [store, serving] = opened;
  await lead({
    raiseTerm: () => raiseTerm(store.database, options.identity),
    onTerm: (term) => facts.setLeading({ term, since: new Date() }),
    jobs: jobsOf(options, store, serving),
    signal,
    log,
  });
}

function jobsOf(options: LeaderOptions, { database, ledger }: Store, serving: Serving): Record<string, Job> {
  const { facts, log } = options;
  const restore = () => configuredRestore(options.config.latest());
  return {
    "auction closing": (term, signal) =>
      closeAuctions({ ledger, delivery: serving.delivery, restore, term, signal, log, now: Date.now }),
    "Git rules": (term, signal) =>
      applyGitRules({
        ledger,
        delivery: serving.delivery,
        host: options.settings.database.host,
        term,
        next: (previous, until) => options.config.next(previous, until),
        signal,
        log,
        now: Date.now,
      }),
    "command registration": (_term, signal) =>
      keepRegistered({
        guildId: options.settings.discord.guildId,
        rest: () => serving.session.rest(),
        applicationId: () => serving.session.applicationId(),
        session: () => facts.session(),
        onRegistration: (registration) => facts.setRegistration(registration),
        signal,
        log,
      }),
    retention: (_term, signal) =>
      periodically({
        periodMs: retentionPeriodMs,
        signal,
        work: () => purge(database).then(() => undefined),
        onFailure: (error) => log.warn({ err: error }, "retention failed and will run again"),
      }),
  };
}

function ended(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve(undefined);
    }
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}
