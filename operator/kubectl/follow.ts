import { pause } from "../../runtime/kube/backoff.ts";
import type { KubeObject, Resource } from "../../runtime/kube/object.ts";
import { type Call, Failure, durationMs } from "./command.ts";

/** Flags of commands that may wait for what they began. */
export const waitOptions = {
  wait: { type: "boolean", short: "w" },
  timeout: { type: "string" },
} as const;

export const waitDetails =
  "-w, --wait waits until it is over and tells how far it is; --timeout gives up waiting after so long (30m unless said otherwise).";

const betweenLooksMs = 1_000;

/**
 * Looks at an object until `over` answers an exit code, telling each new `state` as it comes. The object itself goes on when the wait
 * is given up.
 */
export async function follow(
  { client, terminal, flags, clock }: Call,
  resource: Resource,
  ref: { namespace: string; name: string },
  judge: (object: KubeObject) => { state: string; over?: number },
): Promise<number> {
  const timeout = typeof flags["timeout"] === "string" ? flags["timeout"] : "30m";
  const until = clock() + durationMs(timeout);
  let told = "";
  for (;;) {
    const object = await client.get(resource, ref);
    if (object === undefined)
      throw new Failure(`${resource.kind} ${ref.name} has gone while it was waited for.`);
    const { state, over } = judge(object);
    if (state !== told) terminal.say(`${new Date(clock()).toISOString().slice(11, 19)} ${state}`);
    told = state;
    if (over !== undefined) return over;
    if (clock() > until)
      throw new Failure(`${resource.kind} ${ref.name} is not over after ${timeout}; it goes on by itself.`);
    await pause(betweenLooksMs);
  }
}
