import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { KubeClient } from "../../runtime/kube/client.ts";
import { electLeader, type Election } from "../../runtime/kube/lease.ts";
import type { Logger } from "../../runtime/log.ts";

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
  log: Logger;
}): Leadership {
  const { client, namespace, lease, identity, log } = options;
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
    onNewLeader: (holder) => {
      if (holder !== identity) {
        log.info({ leader: holder }, "another replica leads");
      }
    },
    log,
  });
  return { isLeader: () => election.isLeader(), stop: () => election.stop() };
}

/** What leadership without Kubernetes needs of this replica's connection to the database. */
export type LeaderLock = { tryLead(): Promise<boolean>; leading(): boolean };

/** Leadership without Kubernetes: whoever holds an advisory lock of the guild's database. */
export function standaloneLeadership(options: {
  presence: LeaderLock;
  identity: string;
  lead: Lead;
  log: Logger;
  retryMs?: number;
}): Leadership {
  const { presence, identity, log } = options;
  const stopping = new AbortController();
  const pollMs = options.retryMs ?? 500;

  async function once(): Promise<void> {
    if (!(await presence.tryLead())) {
      return;
    }
    const over = new AbortController();
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
