import { randomUUID } from "node:crypto";
import type { Logger } from "../log.ts";
import type { KubeClient } from "./client.ts";
import { microTime } from "./lease-record.ts";
import type { KubeObject, Resource } from "./object.ts";

type EventFacts = {
  type: "Normal" | "Warning";
  /** CamelCase, e.g. `DatabaseReady`. */
  reason: string;
  /** At most 1,024 characters are kept. */
  message: string;
  /** What was being done, CamelCase; `Reconcile` by default. */
  action?: string;
};

export type EventRecorder = {
  /**
   * Writes an Event in the background, a few at a time, so that the work they tell of goes first. A repeated one becomes a series, a flood
   * about one object is cut off. Never throws.
   */
  record(object: KubeObject, facts: EventFacts): void;
  /** Resolves when what was recorded is written or given up. */
  flush(): Promise<void>;
};

/** The kind Event as it is written and read here. */
export const eventResource: Resource = {
  group: "events.k8s.io",
  version: "v1",
  kind: "Event",
  plural: "events",
  namespaced: true,
};

/** A repetition within this time belongs to the series of the first. */
const seriesMs = 6 * 60_000;
/** A series is written at most so often. */
const seriesWriteMs = 60_000;
/** What one object may say at once, and how often it may say one thing more. */
const burst = 25;
const refillMs = 30_000;
/** How many are written at the same time. */
const writers = 4;
/** Beyond this, events are dropped rather than kept: two for each of ten thousand objects, in about 20 MB. */
const queueLimit = 20_000;
const rememberedLimit = 4_096;

type Series = { name: string; namespace: string; count: number; seenAtMs: number; writtenAtMs: number };

/** Events of `events.k8s.io/v1` (verbs: create, patch). `component` is a qualified name such as `dkp.dev/operator`. */
export function eventRecorder(options: {
  client: KubeClient;
  component: string;
  instance: string;
  log: Logger;
}): EventRecorder {
  const { client, log } = options;
  const remembered = new Map<string, Series>();
  const budget = budgetPerObject();
  const { enqueue, flush } = writing(log);
  const begin = (object: KubeObject, facts: EventFacts, identity: string, nowMs: number) => {
    const event = eventOf(object, facts, options);
    const { name, namespace = "default" } = event.metadata;
    keep(remembered, identity, { name, namespace, count: 1, seenAtMs: nowMs, writtenAtMs: nowMs });
    enqueue(name, () => client.create(eventResource, event, { timeoutMs: 10_000 }));
  };
  const goOn = (series: Series, nowMs: number) => {
    series.count += 1;
    series.seenAtMs = nowMs;
    if (series.count > 2 && nowMs - series.writtenAtMs < seriesWriteMs) return;
    series.writtenAtMs = nowMs;
    const patch = { series: { count: series.count, lastObservedTime: microTime(Date.now()) } };
    const { name, namespace } = series;
    enqueue(name, () => client.mergePatch(eventResource, { namespace, name }, patch, { timeoutMs: 10_000 }));
  };
  return {
    record(object, facts) {
      const nowMs = performance.now();
      const { uid = "", name } = object.metadata;
      const identity = [uid, name, facts.type, facts.reason, facts.action, facts.message].join("\u0000");
      const series = remembered.get(identity);
      if (series !== undefined && nowMs - series.seenAtMs < seriesMs) goOn(series, nowMs);
      else if (budget.take(`${uid}/${name}`, nowMs)) begin(object, facts, identity, nowMs);
    },
    flush,
  };
}

type Write = { name: string; send: () => Promise<unknown> };

/** Sends writes a few at a time in their order, those of one name never side by side. */
function writing(log: Logger) {
  const waiting: Write[] = [];
  const busy = new Map<string, Promise<void>>();

  const send = async ({ name, send }: Write) => {
    try {
      await send();
    } catch (error) {
      log.warn({ err: error }, "an event was not written");
    }
    busy.delete(name);
    pump();
  };
  const pump = () => {
    if (busy.size >= writers) return;
    const next = waiting.findIndex(({ name }) => !busy.has(name));
    const [write] = next < 0 ? [] : waiting.splice(next, 1);
    if (write === undefined) return;
    busy.set(write.name, send(write));
    pump();
  };
  return {
    enqueue(name: string, send: () => Promise<unknown>) {
      if (waiting.length >= queueLimit) {
        log.warn("too many events are waiting to be written, one is dropped");
        return;
      }
      waiting.push({ name, send });
      pump();
    },
    async flush() {
      while (busy.size > 0) await Promise.race(busy.values());
    },
  };
}

function eventOf(
  object: KubeObject,
  facts: EventFacts,
  from: { component: string; instance: string },
): KubeObject {
  const { metadata } = object;
  const namespace = metadata.namespace ?? "default";
  // Node keeps random bytes in stock for these alone; asking for some each time costs as much as writing the Event.
  const suffix = randomUUID().slice(0, 18).replaceAll("-", "");
  return {
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: { namespace, name: `${metadata.name.slice(0, 200)}.${suffix}` },
    eventTime: microTime(Date.now()),
    type: facts.type,
    reason: facts.reason,
    action: facts.action ?? "Reconcile",
    note: facts.message.slice(0, 1_024),
    regarding: {
      apiVersion: object.apiVersion,
      kind: object.kind,
      namespace: metadata.namespace,
      name: metadata.name,
      uid: metadata.uid,
      resourceVersion: metadata.resourceVersion,
    },
    reportingController: from.component,
    reportingInstance: from.instance.slice(0, 128),
  };
}

/** A bucket of `burst` events for each object, which fills by one every `refillMs`. */
function budgetPerObject() {
  const buckets = new Map<string, { left: number; atMs: number }>();
  return {
    take(object: string, nowMs: number): boolean {
      const bucket = buckets.get(object) ?? { left: burst, atMs: nowMs };
      const left = Math.min(burst, bucket.left + (nowMs - bucket.atMs) / refillMs);
      keep(buckets, object, { left: left < 1 ? left : left - 1, atMs: nowMs });
      return left >= 1;
    },
  };
}

/** Remembers under `key` and forgets what was remembered longest ago beyond the limit. */
function keep<V>(remembered: Map<string, V>, key: string, value: V): void {
  remembered.delete(key);
  remembered.set(key, value);
  if (remembered.size <= rememberedLimit) return;
  const [oldest] = remembered.keys();
  if (oldest !== undefined) remembered.delete(oldest);
}
