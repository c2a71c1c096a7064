import { expect } from "vitest";
import { crashing } from "./clients.ts";
import type { Scene } from "./scene.ts";

/** How often operators look at everything that live for a part of a test only. */
export const pace = { recheckMs: 200, resyncMs: 300, secretMemoryMs: 0 };

/** Has an operator work in a namespace for as long as this takes. */
export async function inALife(scene: Scene, namespace: string, work: () => Promise<void>): Promise<void> {
  const client = await scene.operatorClient();
  const operator = scene.startOperator(client, { ...pace, namespaces: [namespace] });
  await work();
  await operator.stop();
  await client.close();
}

/** Lets an operator work until its n-th write, at which it is killed; answers whether it came so far before all was done. */
export async function killedAt(
  scene: Scene,
  namespace: string,
  n: number,
  isDone: () => Promise<boolean>,
): Promise<boolean> {
  const { client, crashed } = crashing(await scene.operatorClient(), n);
  const doomed = scene.startOperator(client, { ...pace, namespaces: [namespace] });
  const ending = new AbortController();
  const done = expect
    .poll(async () => ending.signal.aborted || (await isDone()), { timeout: 120_000, interval: 50 })
    .toBe(true);
  const reached = await Promise.race([crashed.then(() => true), done.then(() => false)]);
  ending.abort();
  await doomed.stop();
  await client.close();
  await done;
  return reached;
}
