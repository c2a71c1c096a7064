import type { Logger } from "../log.ts";
import type { KubeClient } from "./client.ts";
import type { KubeObject } from "./object.ts";

export type EventFacts = {
  type: "Normal" | "Warning";
  /** CamelCase, e.g. `DatabaseReady`. */
  reason: string;
  /** At most 1,024 characters are kept. */
  message: string;
  /** What was being done, CamelCase; `Reconcile` by default. */
  action?: string;
};

export type EventRecorder = {
  /** Writes an Event in the background; a repeated one becomes a series, a flood is dropped. Never throws. */
  record(object: KubeObject, facts: EventFacts): void;
  /** Resolves when what was recorded is written or given up. */
  flush(): Promise<void>;
};

/** Events of `events.k8s.io/v1` (verbs: create, patch). `component` is a qualified name such as `dkp.dev/operator`. */
export function eventRecorder(_options: {
  client: KubeClient;
  component: string;
  instance: string;
  log: Logger;
}): EventRecorder {
  throw new Error("not built yet");
}
