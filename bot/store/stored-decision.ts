import type { Accepted, Decision } from "../ledger/decision.ts";

/** What a repeated interaction is told: the first decision without its events, which are in the ledger. */
export function decisionText(decision: Decision): string {
  const told =
    "refusal" in decision
      ? decision
      : ({ events: [], disclosures: [], outcome: decision.outcome } as Accepted);
  return JSON.stringify(told, (_key, value: unknown) =>
    typeof value === "bigint" ? { $bigint: value.toString() } : value,
  );
}

export function readDecision(text: string): Decision {
  return JSON.parse(text, (_key, value: unknown) =>
    typeof value === "object" && value !== null && "$bigint" in value ? BigInt(String(value.$bigint)) : value,
  ) as Decision;
}
