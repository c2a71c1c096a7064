import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { stringify } from "yaml";
import { eventually } from "./kubectl.ts";
import type { Kubectl } from "./kubectl.ts";

/** A patch that sets environment variables of a Deployment's container. */
export function container(namespace: string, deployment: string, name: string, env: object[]): object {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: deployment, namespace },
    spec: { template: { spec: { containers: [{ name, env }] } } },
  };
}

/** Applies manifests through a throw-away kustomization, so that what is shipped is applied as it is, images and patches apart. */
export async function applied(
  control: Kubectl,
  resources: string[],
  images: Record<string, string>,
  patches: object[] = [],
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "dkp-overlay-"));
  try {
    const overlay = {
      apiVersion: "kustomize.config.k8s.io/v1beta1",
      kind: "Kustomization",
      resources: resources.map((path) => relative(folder, path)),
      images: Object.entries(images).map(([name, reference]) => {
        const colon = reference.lastIndexOf(":");
        return { name, newName: reference.slice(0, colon), newTag: reference.slice(colon + 1) };
      }),
      patches: patches.map((patch) => ({ patch: stringify(patch) })),
    };
    await writeFile(join(folder, "kustomization.yaml"), stringify(overlay));
    const rendered = await control.run(["kustomize", "--load-restrictor=LoadRestrictionsNone", folder]);
    await control.run(["apply", "--server-side", "--force-conflicts", "-f", "-"], rendered);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type DeploymentStatus = {
  spec: { replicas: number };
  metadata: { generation: number };
  status: { readyReplicas?: number; updatedReplicas?: number; observedGeneration?: number };
};

/** Waits until every pod of a Deployment is new and ready. */
export async function rollout(
  control: Kubectl,
  namespace: string,
  name: string,
  detail: (text: string) => void,
): Promise<void> {
  await eventually(`${namespace}/${name} is ready`, async () => {
    const { spec, metadata, status } = await control.json<DeploymentStatus>([
      "-n",
      namespace,
      "get",
      "deployment",
      name,
    ]);
    const { readyReplicas = 0, updatedReplicas = 0, observedGeneration = 0 } = status;
    detail(`${readyReplicas} of ${spec.replicas} ready`);
    const done = Math.min(readyReplicas, updatedReplicas) >= spec.replicas;
    return done && observedGeneration >= metadata.generation ? true : undefined;
  });
}
