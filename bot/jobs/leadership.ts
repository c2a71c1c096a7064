import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { KubeClient } from "../../runtime/kube/client.ts";
import { electLeader, type Election } from "../../runtime/kube/lease.ts";
import type { Logger } from "../../runtime/log.ts";
import type { LeaderMetrics } from "../leader-metrics.ts";

/** Who runs the jobs that must run once. */
export type Leadership = {
  isLeader(): boolean;
  /** Gives leadership up so that another replica takes over at once. */
  stop(): Promise<void>;
};

/** Runs while this process leads; `signal` is aborted when it no longer does. Must not throw: a job's failure is its own. */
export type Lead = (signal: AbortSignal) => Promise<void>;

/** True where a pod's service account token is mounted, which is how a process knows that it runs in Kubernetes. */
export async function inKubernetes(serviceAccountDir: string): Promise<boolean> {
  return access(join(serviceAccountDir, "token")).then(
    () => true,
    () => false,
  );
}

/** The namespace of this pod: POD_NAMESPACE, else the service account's, else "default". */
export async function podNamespace(
  fromEnvironment: string | undefined,
  serviceAccountDir: string,
  log?: Logger,
): Promise<string> {
  if (fromEnvironment !== undefined) {
    return fromEnvironment;
  }
  const mounted = await readFile(join(serviceAccountDir, "namespace"), "utf8").catch(() => "");
  const namespace = mounted.trim();
  if (namespace === "") {
    return "default";
  }
  log?.info({ namespace }, "detected namespace from service account");
  return namespace;
}

/** Leadership by the guild's Lease, which the operator created: the bot may hold it, not make it. */
export function leaseLeadership(options: {
  client: KubeClient;
  namespace: string;
  lease: { name: string; durationMs: number; renewDeadlineMs: number; retryPeriodMs: number };
  identity: string;
  lead: Lead;
  metrics: LeaderMetrics;
  log: Logger;
}): Leadership {
  const { client, namespace, lease, identity, metrics, log } = options;
  const forbidden = forbiddenTeller(lease.name, log);
  let leader: string | undefined;
  log.info({ identity, namespace }, "starting leader election for sync job");
  const election: Election = electLeader({
    client,
    namespace,
    name: lease.name,
    identity,
    leaseDurationMs: lease.durationMs,
    renewDeadlineMs: lease.renewDeadlineMs,
    retryPeriodMs: lease.retryPeriodMs,
    renewPeriodMs: Math.min(5000, lease.durationMs / 3),
    create: false,
    onAcquired: (signal) => {
      log.info({ identity }, "elected as sync leader, starting member sync job");
      return options.lead(signal);
    },
    onLost: (reason) => log.warn({ identity, reason }, "lost leadership, jobs stopped"),
    onRenewal: (result) => metrics.renewal(result),
    onForbidden(error) {
      metrics.renewal("forbidden");
      forbidden(error.message);
    },
    onNewLeader: (holder) => {
      metrics.leader(holder, leader);
      leader = holder;
      if (holder !== identity) {
        log.info({ leader: holder }, "another replica leads");
      }
    },
    log,
  });
  return { isLeader: () => election.isLeader(), stop: () => election.stop() };
}

/** The same refusal is told once in this time: candidates go on trying every few seconds. */
const forbiddenAgainMs = 60_000;

/** Names the verb that the Role lacks; the replica goes on serving commands as a follower. */
function forbiddenTeller(lease: string, log: Logger): (sentence: string) => void {
  const told = new Map<string, number>();
  return (sentence) => {
    const [, verb = "use", resource = "leases"] = /cannot (\w+) resource "([\w/]+)"/.exec(sentence) ?? [];
    const key = `${verb} ${resource}`;
    if (performance.now() < (told.get(key) ?? 0)) {
      return;
    }
    told.set(key, performance.now() + forbiddenAgainMs);
    log.error(
      { verb, resource, lease },
      `the Role does not allow to ${verb} ${resource}: this replica cannot lead; add the verb for ${lease} to the bot's Role`,
    );
  };
}

/** What leadership without Kubernetes needs of this replica's connection to the database. */
export type LeaderLock = { tryLead(): Promise<boolean>; leading(): boolean };

/** Leadership without Kubernetes: whoever holds an advisory lock of the guild's database. */
export function standaloneLeadership(options: {
  presence: LeaderLock;
  identity: string;
  lead: Lead;
  metrics: LeaderMetrics;
  log: Logger;
  retryMs?: number;
}): Leadership {
  const { presence, identity, metrics, log } = options;
  const stopping = new AbortController();
  const pollMs = options.retryMs ?? 500;

  async function once(): Promise<void> {
    if (!(await presence.tryLead())) {
      return;
    }
    const over = new AbortController();
    metrics.leader(identity, undefined);
    log.info({ identity }, "elected as sync leader, starting member sync job");
    const led = options.lead(AbortSignal.any([over.signal, stopping.signal]));
    while (presence.leading() && !stopping.signal.aborted) {
      await sleep(pollMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
    over.abort();
    await led;
    if (!stopping.signal.aborted) {
      log.warn({ identity, reason: "expired" }, "lost leadership, jobs stopped");
    }
  }

  async function stand(): Promise<void> {
    while (!stopping.signal.aborted) {
      await once().catch((error: unknown) => log.debug({ err: error }, "standing for leadership"));
      await sleep(pollMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  const stood = stand();
  return {
    isLeader: () => presence.leading() && !stopping.signal.aborted,
    async stop() {
      stopping.abort();
      await stood;
    },
  };
}
