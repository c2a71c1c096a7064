import { rmSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DkpGuild } from "../../../crds/dkp-guild.ts";
import * as kinds from "../../../operator/guild/resources.ts";
import type { KubeObject } from "../../../runtime/kube/object.ts";
import { type Account, type ApiServer, guildName, namespace, startApiServer } from "../api-server.ts";
import { templates } from "../peers/templates.ts";
import { type Audit, audit } from "./audit.ts";
import { clean, cleaningFlags } from "./clean.ts";

/** One API server for all who are compared. */
export type Arena = {
  server: ApiServer;
  audit: Audit;
  /** File with what the peers make for a guild. */
  templates: string;
  /** The peers': a service account like the operator's, with all rights. */
  account: Account;
  stop(): Promise<void>;
};

const system = "dkp-system";
const users = ["peer", "dkp-operator"].map((name) => `system:serviceaccount:${system}:${name}`);

/** Starts it, with the tokens of `guilds` guilds; no guild is there yet. */
export async function openArena(guilds: number): Promise<Arena> {
  const folder = await mkdtemp(join(tmpdir(), "dkp-contest-"));
  const forget = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", forget);
  const account = await audit(folder, users);
  const server = await startApiServer(guilds, [...account.flags, ...cleaningFlags]);
  const file = join(folder, "templates.json");
  await writeFile(file, JSON.stringify(await guildTemplates(server)));
  await clean(server);
  await account.since();
  return {
    server,
    audit: account,
    templates: file,
    account: await peer(server),
    async stop() {
      await server.stop();
      forget();
    },
  };
}

/** A guild is created for it, so that it has the defaults that the API server sets. */
async function guildTemplates({ admin, createGuilds }: ApiServer) {
  await createGuilds(1);
  const guild = await admin.get<DkpGuild & KubeObject>(kinds.guilds, { namespace, name: guildName(0) });
  if (guild === undefined) throw new Error("the guild that was just created is gone");
  return templates(guild);
}

async function peer({ admin, plane, account }: ApiServer): Promise<Account> {
  const metadata = { namespace: system, name: "peer" };
  await admin.create(kinds.serviceAccounts, { apiVersion: "v1", kind: "ServiceAccount", metadata });
  await plane.call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
    metadata: { name: "peer" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
    subjects: [{ kind: "ServiceAccount", ...metadata }],
  });
  return account("peer");
}
