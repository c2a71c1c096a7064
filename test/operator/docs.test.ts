import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

const text = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

/** Reasons in the first column of the table of troubles. */
function explained(): Set<string> {
  const cells = text("docs/troubles.md")
    .split("\n")
    .map((line) => /^\| ((?:`[A-Za-z]+`(?:, )?)+) \|/.exec(line)?.[1] ?? "");
  return new Set(cells.flatMap((cell) => [...cell.matchAll(/`([A-Za-z]+)`/g)].map(([, name = ""]) => name)));
}

/** Reasons that the operator gives for what does not pass by itself within an ordinary way up. */
function given(): Set<string> {
  const files = ["findings", "verdict", "restore-status", "hibernation"];
  const source = files.map((name) => text(`operator/guild/${name}.ts`)).join("\n");
  const calls = source.matchAll(
    /(?:(?:waiting|stalled)\(|level: "(?:waiting|stalled)",\s*reason:)\s*"([A-Za-z]+)"/g,
  );
  return new Set([...calls].map(([, name = ""]) => name));
}

/** What kubelet and the scheduler say of pods, handed on as it is. */
const ofPods = [
  "ImagePullBackOff",
  "ErrImagePull",
  "CrashLoopBackOff",
  "CreateContainerConfigError",
  "Unschedulable",
];

describe("the documentation", () => {
  test("explains every reason for which backups may not be ready", () => {
    const source = text("operator/guild/backup-status.ts");
    const reasons = [...source.matchAll(/reason: "([A-Za-z]+)"/g)].map(([, name = ""]) => name);
    const page = text("docs/backups.md");
    // BackedUp is the good one; Hibernating is asked for.
    const unexplained = reasons.filter((reason) => !page.includes(`\`${reason}\``));
    expect(unexplained).toEqual(["Hibernating", "BackedUp"]);
  });

  test("explains every reason for which a guild may not be Ready", () => {
    const known = explained();
    expect([...given()].filter((reason) => !known.has(reason))).toEqual([]);
  });

  test("explains no reason that is never given", () => {
    const possible = new Set([...given(), ...ofPods]);
    expect([...explained()].filter((reason) => !possible.has(reason))).toEqual([]);
  });
});
