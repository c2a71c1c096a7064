import { expect, vi } from "vitest";
import * as kinds from "../../operator/guild/resources.ts";
import type { Scene } from "./scene.ts";

type Condition = {
  type: string;
  status: string;
  reason: string;
  message: string;
  observedGeneration: number;
};
export type Status = {
  phase?: string;
  observedGeneration?: number;
  conditions?: Condition[];
  [field: string]: unknown;
};

export const patience = { timeout: 15_000, interval: 30 };

export async function statusOf(scene: Scene, namespace: string, name: string): Promise<Status> {
  return ((await scene.get(kinds.guilds, namespace, name))?.["status"] ?? {}) as Status;
}

export async function condition(scene: Scene, namespace: string, name: string, type: string) {
  return (await statusOf(scene, namespace, name)).conditions?.find((found) => found.type === type);
}

export async function reachesPhase(
  scene: Scene,
  namespace: string,
  name: string,
  phase: string,
): Promise<void> {
  await vi.waitFor(async () => expect((await statusOf(scene, namespace, name)).phase).toBe(phase), patience);
}

/** Waits until a condition is False for this reason; answers its sentence. */
export async function failsFor(scene: Scene, namespace: string, name: string, type: string, reason: string) {
  const read = () => condition(scene, namespace, name, type);
  await vi.waitFor(async () => expect(await read()).toMatchObject({ status: "False", reason }), patience);
  return (await read())?.message ?? "";
}
