import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { namespace } from "../api-server.ts";

/** Requests for objects in the guilds' namespace, as the API server wrote them down. */
export type Counts = {
  writes: number;
  /** Gets and lists; a watch is none. */
  reads: number;
  /** Those of the writes that are Events. */
  events: number;
  /** Writes by verb and resource. */
  byKind: Record<string, number>;
};

/** The API server's own account of who asked for what; only the contestants' requests are in it. */
export type Audit = {
  /** Flags of kube-apiserver that make it keep account. */
  flags: string[];
  /** Requests answered since the last call. */
  since(): Promise<Counts>;
};

type Entry = {
  verb: string;
  objectRef?: { resource?: string; subresource?: string; namespace?: string };
};

/** Keeps account, in `folder`, of what `users` do. */
export async function audit(folder: string, users: string[]): Promise<Audit> {
  const [policyFile, logFile] = [join(folder, "policy.json"), join(folder, "audit.log")];
  const policy = {
    apiVersion: "audit.k8s.io/v1",
    kind: "Policy",
    omitStages: ["RequestReceived", "ResponseStarted"],
    rules: [{ level: "Metadata", users, namespaces: [namespace] }, { level: "None" }],
  };
  await writeFile(policyFile, JSON.stringify(policy));
  await writeFile(logFile, "");
  let offset = 0;
  let rest = "";
  const news = async () => {
    const file = await open(logFile);
    try {
      const buffer = Buffer.alloc((await file.stat()).size - offset);
      await file.read(buffer, 0, buffer.length, offset);
      offset += buffer.length;
      const lines = `${rest}${buffer.toString()}`.split("\n");
      rest = lines.pop() ?? "";
      return lines.map((line) => JSON.parse(line) as Entry);
    } finally {
      await file.close();
    }
  };
  return {
    flags: [
      `--audit-policy-file=${policyFile}`,
      `--audit-log-path=${logFile}`,
      // Megabytes; larger than what a whole run writes, so that nothing is moved away while it is read.
      "--audit-log-maxsize=20000",
    ],
    since: async () => counted(await news()),
  };
}

const writing = new Set(["create", "update", "patch", "delete", "deletecollection"]);

function counted(entries: Entry[]): Counts {
  const byKind: Record<string, number> = {};
  let reads = 0;
  for (const { verb, objectRef } of entries) {
    const { resource = "", subresource } = objectRef ?? {};
    if (verb === "get" || verb === "list") reads += 1;
    if (!writing.has(verb)) continue;
    const kind = `${verb} ${resource}${subresource === undefined ? "" : `/${subresource}`}`;
    byKind[kind] = (byKind[kind] ?? 0) + 1;
  }
  const total = (wanted: (kind: string) => boolean) =>
    Object.entries(byKind)
      .filter(([kind]) => wanted(kind))
      .reduce((sum, [, count]) => sum + count, 0);
  return {
    writes: total(() => true),
    reads,
    events: total((kind) => kind.endsWith(" events")),
    byKind,
  };
}
