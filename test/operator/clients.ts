import type { Operator, OperatorOptions } from "../../operator/start.ts";
import type { KubeClient } from "../../runtime/kube/client.ts";
import { KubeError, isKubeError } from "../../runtime/kube/error.ts";
import type { KubeObject, Resource } from "../../runtime/kube/object.ts";
import type { Scene } from "./scene.ts";

export type Write = { verb: string; kind: string; name: string };

const writing = ["apply", "applyStatus", "mergePatch", "create", "replace", "remove"] as const;

function nameOf(subject: unknown): string {
  const { metadata, name } = subject as { metadata?: { name: string }; name?: string };
  return metadata?.name ?? name ?? "?";
}

export type Recording = {
  client: KubeClient;
  /** Events count unless they are left out. */
  writes: Write[];
  /** Kinds of the objects that were read one by one. */
  reads: string[];
  /** Every status that was written, in order. */
  statuses: KubeObject[];
  forbidden: string[];
};

/** A client that keeps lists of what it does and of what it was forbidden. */
export function recording(client: KubeClient): Recording {
  const writes: Write[] = [];
  const reads: string[] = [];
  const statuses: KubeObject[] = [];
  const forbidden: string[] = [];
  const get: KubeClient["get"] = (resource, ...more) => {
    reads.push(resource.kind);
    return client.get(resource, ...more);
  };
  const recorded = Object.fromEntries(
    writing.map((verb) => {
      const call = client[verb] as (
        resource: Resource,
        subject: unknown,
        ...more: unknown[]
      ) => Promise<unknown>;
      return [
        verb,
        async (resource: Resource, subject: unknown, ...more: unknown[]) => {
          writes.push({ verb, kind: resource.kind, name: nameOf(subject) });
          if (verb === "applyStatus") statuses.push(subject as KubeObject);
          try {
            return await call(resource, subject, ...more);
          } catch (error) {
            if (isKubeError(error, 403)) forbidden.push(error.message);
            throw error;
          }
        },
      ];
    }),
  );
  return { client: { ...client, ...recorded, get }, writes, reads, statuses, forbidden };
}

/** An operator that looks at everything several times a second, and lists of what it does from its start on. */
export async function startRecorded(
  scene: Scene,
  options: Partial<OperatorOptions> = {},
): Promise<Recording & { operator: Operator }> {
  const recorded = recording(await scene.operatorClient());
  const pace = { recheckMs: 300, resyncMs: 400, secretMemoryMs: 0, leasePeriodMs: 500 };
  return { ...recorded, operator: scene.startOperator(recorded.client, { ...pace, ...options }) };
}

/**
 * A client of a process that is killed: the n-th write still reaches the API server, its answer nobody hears, and nothing is sent after it.
 * Events are not counted, because they are written in the background and nobody depends on them.
 */
export function crashing(
  client: KubeClient,
  afterWrites: number,
): { client: KubeClient; crashed: Promise<Write> } {
  const { promise: crashed, resolve } = Promise.withResolvers<Write>();
  let count = 0;
  let dead = false;
  const guard = () => {
    // What else a request may throw would end the process, which is that of the test.
    if (dead) throw new KubeError("killed", { status: 0, reason: "Unreachable" });
  };
  const reading = Object.fromEntries(
    (["get", "list", "raw"] as const).map((verb) => {
      const call = client[verb] as (...args: unknown[]) => Promise<unknown>;
      return [
        verb,
        async (...args: unknown[]) => {
          guard();
          const answer = await call(...args);
          guard();
          return answer;
        },
      ];
    }),
  );
  const mortal = Object.fromEntries(
    writing.map((verb) => {
      const call = client[verb] as (
        resource: Resource,
        subject: unknown,
        ...more: unknown[]
      ) => Promise<unknown>;
      return [
        verb,
        async (resource: Resource, subject: unknown, ...more: unknown[]) => {
          guard();
          if (resource.kind !== "Event") count += 1;
          const last = count >= afterWrites && resource.kind !== "Event";
          if (last) dead = true;
          const answer = await call(resource, subject, ...more);
          if (last) resolve({ verb, kind: resource.kind, name: nameOf(subject) });
          guard();
          return answer;
        },
      ];
    }),
  );
  return { client: { ...client, ...reading, ...mortal }, crashed };
}
