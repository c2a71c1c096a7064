import { clientOn } from "./calls.ts";
import type { KubeClient, KubeClientOptions } from "./client.ts";
import { nodeTransport } from "./node-transport.ts";

/** `kubeClient` for a program that asks little: on Node's own HTTP client, so that undici is not loaded. */
export function lightKubeClient(options: KubeClientOptions): KubeClient {
  return clientOn(nodeTransport(options.connection, options.connections ?? 2), options);
}
