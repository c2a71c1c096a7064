import type { KubeObject } from "../../runtime/kube/object.ts";

/** A pod, or something outside the cluster. */
export type Party = { namespace: string; labels: Record<string, string> } | "outside";

export type Flow = { from: Party; to: Party; port: number; protocol?: "TCP" | "UDP" };

type Labels = Record<string, string>;
type Selector = { matchLabels?: Labels };
type Peer = { podSelector?: Selector; namespaceSelector?: Selector; ipBlock?: object };
type Rule = { from?: Peer[]; to?: Peer[]; ports?: { protocol?: string; port: number; endPort?: number }[] };
type PolicySpec = { podSelector: Selector; policyTypes: string[]; ingress?: Rule[]; egress?: Rule[] };

function selects({ matchLabels = {} }: Selector, labels: Labels): boolean {
  return Object.entries(matchLabels).every(([name, value]) => labels[name] === value);
}

function matchesPeer(peer: Peer, home: string, party: Party): boolean {
  if (party === "outside") return peer.ipBlock !== undefined;
  if (peer.ipBlock !== undefined) return false;
  const space =
    peer.namespaceSelector === undefined
      ? party.namespace === home
      : selects(peer.namespaceSelector, { "kubernetes.io/metadata.name": party.namespace });
  return space && selects(peer.podSelector ?? {}, party.labels);
}

function permits(
  policies: readonly KubeObject[],
  direction: "Ingress" | "Egress",
  at: Party,
  other: Party,
  { port, protocol = "TCP" }: Flow,
) {
  if (at === "outside") return true;
  const specs = policies
    .filter(({ metadata }) => metadata.namespace === at.namespace)
    .map((policy) => policy["spec"] as PolicySpec)
    .filter(
      ({ podSelector, policyTypes }) => policyTypes.includes(direction) && selects(podSelector, at.labels),
    );
  if (specs.length === 0) return true;
  const rules = specs.flatMap(({ ingress = [], egress = [] }) =>
    direction === "Ingress" ? ingress : egress,
  );
  return rules.some((rule) => {
    const peers = direction === "Ingress" ? rule.from : rule.to;
    const isPeer = peers === undefined || peers.some((peer) => matchesPeer(peer, at.namespace, other));
    const isPort =
      rule.ports === undefined ||
      rule.ports.some(
        (entry) =>
          (entry.protocol ?? "TCP") === protocol &&
          port >= entry.port &&
          port <= (entry.endPort ?? entry.port),
      );
    return isPeer && isPort;
  });
}

/**
 * Whether NetworkPolicies let a connection through, as Kubernetes defines it: a pod that no policy selects is open; one that is selected is
 * open to what some rule names; both ends must agree. Source: kubernetes.io, "Network Policies".
 */
export function isAllowed(policies: readonly KubeObject[], flow: Flow): boolean {
  return (
    permits(policies, "Egress", flow.from, flow.to, flow) &&
    permits(policies, "Ingress", flow.to, flow.from, flow)
  );
}
