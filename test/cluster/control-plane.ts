import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdtemp, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonGeneralName } from "@peculiar/x509";
import { apiserverArguments, controllerManagerArguments, etcdArguments } from "./arguments.ts";
import type { Files } from "./arguments.ts";
import { certificateAuthority } from "./authority.ts";
import type { Authority } from "./authority.ts";
import { binary } from "./binaries.ts";
import { writeKubeconfig } from "./kubeconfig.ts";
import type { Identity } from "./kubeconfig.ts";
import { guard, start, until } from "./process.ts";
import type { Guard, Running } from "./process.ts";
import { progressTo } from "./progress.ts";
import type { Progress } from "./progress.ts";

/** A program of the control plane. */
export type Part = "etcd" | "kube-apiserver" | "kube-controller-manager";

/** Whom a kubeconfig is for: a user with groups, or a service account (which must exist). */
export type Subject =
  | { user: string; groups?: string[] }
  | { serviceAccount: { namespace: string; name: string }; expirationSeconds?: number };

export type ControlPlaneOptions = {
  progress?: Progress;
  env?: NodeJS.ProcessEnv;
  /** Starts kube-controller-manager too: garbage collection, namespace deletion, service accounts, Deployments. */
  controllers?: boolean;
  /** Further flags of kube-apiserver. */
  apiserverFlags?: string[];
};

/** A real etcd and kube-apiserver with RBAC on loopback, for one test. */
export type ControlPlane = {
  /** https://127.0.0.1:port */
  url: string;
  ca: string;
  caFile: string;
  /** A bearer token of group system:masters. */
  adminToken: string;
  /** A kubeconfig with a client certificate of group system:masters. */
  kubeconfigPath: string;
  /** Path of a kubeconfig for someone else. */
  kubeconfigFor(subject: Subject): Promise<string>;
  /** A request as the administrator; the parsed answer. For setting a scene without a client under test. */
  call: Call;
  /** The same as someone else. */
  callAs(subject: Subject): Promise<Call>;
  /** Ends a part at once, as a crash would. */
  kill(part: Part): Promise<void>;
  /** Starts a part again (ending it first if it runs) on the same data and port, and waits until it is ready. */
  restart(part: Part): Promise<void>;
  stop(): Promise<void>;
};

/** Makes one request; gives the status and the parsed body. */
export type Call = (method: string, path: string, body?: unknown, contentType?: string) => Promise<Answer>;

/** What the API server answered. */
export type Answer = { status: number; body: Record<string, unknown> };

/** Starts a control plane in a temporary folder; nothing of it outlives `stop()` or this process. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const progress =
    options.progress ?? progressTo({ write: (text) => void process.stderr.write(text), terminal: false });
  const env = options.env ?? process.env;
  const etcd = await binary("etcd", progress, env);
  const apiserver = await binary("kube-apiserver", progress, env);
  const controllers = options.controllers === true;
  const manager = controllers ? await binary("kube-controller-manager", progress, env) : "";

  const folder = await mkdtemp(join(tmpdir(), "dkp-control-plane-"));
  const watch = guard(folder);
  try {
    const scene = await setScene(folder);
    const { files, url, call } = scene;
    const flags = [...serverArguments(scene, controllers), ...(options.apiserverFlags ?? [])];
    const plans: Record<Part, Plan> = {
      etcd: { program: etcd, args: etcdArguments(folder), ready: () => etcdAnswers(folder) },
      "kube-apiserver": { program: apiserver, args: flags, ready: () => answersOk(call, "/readyz") },
      "kube-controller-manager": {
        program: manager,
        args: [
          ...controllerManagerArguments({ kubeconfig: scene.kubeconfigPath, files }),
          "--bind-address=127.0.0.1",
          "--secure-port=0",
        ],
        // Its first visible deed is a service account in the default namespace.
        ready: () => answersOk(call, "/api/v1/namespaces/default/serviceaccounts/default"),
      },
    };
    const parts = await startParts(folder, watch, plans, controllers);
    return {
      url,
      ca: scene.authority.certificate,
      caFile: files.caCertificate,
      adminToken: scene.adminToken,
      kubeconfigPath: scene.kubeconfigPath,
      kubeconfigFor: async (subject) => kubeconfigFor(await identify(subject, scene), scene),
      call,
      callAs: async (subject) => caller(url, scene.authority.certificate, await identify(subject, scene)),
      ...parts,
      async stop() {
        await parts.stop();
        await watch.end();
      },
    };
  } catch (cause) {
    await watch.end();
    throw cause;
  }
}

/** What exists before anything runs: the address, the keys, and who may do everything. */
type Scene = {
  folder: string;
  port: number;
  url: string;
  authority: Authority;
  files: Files;
  adminToken: string;
  kubeconfigPath: string;
  call: Call;
};

async function setScene(folder: string): Promise<Scene> {
  const authority = await certificateAuthority("dkp test control plane");
  const adminToken = randomBytes(24).toString("hex");
  const files = await writeFiles(folder, authority, adminToken, [
    { type: "ip", value: "127.0.0.1" },
    { type: "dns", value: "localhost" },
  ]);
  const port = await freePort();
  const url = `https://127.0.0.1:${port}`;
  const ca = authority.certificate;
  const admin = await authority.client("admin", ["system:masters"]);
  const kubeconfigPath = await writeKubeconfig(join(folder, "admin.kubeconfig"), url, ca, admin);
  const call = caller(url, ca, { token: adminToken });
  return { folder, port, url, authority, files, adminToken, kubeconfigPath, call };
}

type Plan = { program: string; args: string[]; ready: () => Promise<boolean> };

async function startParts(
  folder: string,
  watch: Guard,
  plans: Record<Part, Plan>,
  controllers: boolean,
): Promise<Pick<ControlPlane, "kill" | "restart" | "stop">> {
  const running = new Map<Part, Running>();
  const begin = async (part: Part): Promise<void> => {
    const { program, args, ready } = plans[part];
    const server = start(program, args, { logFile: join(folder, `${part}.log`), guard: watch });
    running.set(part, server);
    await until(`${part} should be ready`, server, ready);
  };
  await begin("etcd");
  await begin("kube-apiserver");
  if (controllers) {
    await begin("kube-controller-manager");
  }
  return {
    kill: async (part) => running.get(part)?.kill(),
    async restart(part) {
      await running.get(part)?.stop();
      await begin(part);
    },
    async stop() {
      // Nothing of the data is wanted afterwards.
      await Promise.all([...running.values()].map((server) => server.kill()));
    },
  };
}

function serverArguments({ folder, files, port }: Scene, controllers: boolean): string[] {
  return [
    ...apiserverArguments({ folder, files, bindAddress: "127.0.0.1", advertiseAddress: "127.0.0.1", port }),
    // A loopback address cannot be the endpoint of a Service, and nobody looks it up here.
    "--endpoint-reconciler-type=none",
    // Without controllers nobody makes the service account that admission would wait for.
    ...(controllers ? [] : ["--disable-admission-plugins=ServiceAccount"]),
  ];
}

/** Writes certificates, the token-signing key and the administrator's token into `folder`. */
export async function writeFiles(
  folder: string,
  authority: Authority,
  adminToken: string,
  names: JsonGeneralName[],
): Promise<Files> {
  const serving = await authority.server([
    ...names,
    ...["kubernetes", "kubernetes.default", "kubernetes.default.svc"].map((value) => ({
      type: "dns" as const,
      value,
    })),
  ]);
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const write = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  return {
    caCertificate: await write("ca.crt", authority.certificate),
    caKey: await write("ca.key", authority.key),
    serverCertificate: await write("server.crt", serving.certificate),
    serverKey: await write("server.key", serving.key),
    serviceAccountKey: await write(
      "service-account.key",
      privateKey.export({ type: "sec1", format: "pem" }).toString(),
    ),
    tokens: await write("tokens.csv", `${adminToken},admin,admin,system:masters\n`),
  };
}

function kubeconfigFor(identity: Identity, { folder, url, authority }: Scene): Promise<string> {
  const path = join(folder, `${randomBytes(6).toString("hex")}.kubeconfig`);
  return writeKubeconfig(path, url, authority.certificate, identity);
}

async function identify(subject: Subject, { authority, call }: Scene): Promise<Identity> {
  if ("user" in subject) {
    return authority.client(subject.user, subject.groups);
  }
  const { namespace, name } = subject.serviceAccount;
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
  const { status, body } = await call("POST", path, {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { expirationSeconds: subject.expirationSeconds ?? 3600 },
  });
  const token = (body["status"] as { token?: string } | undefined)?.token;
  if (status !== 201 || token === undefined) {
    throw new Error(`no token for service account ${namespace}/${name}: ${String(body["message"])}`);
  }
  return { token };
}

/** Makes requests to an API server as `identity`. */
export function caller(url: string, ca: string, identity: Identity): Call {
  const who = "token" in identity ? {} : { cert: identity.certificate, key: identity.key };
  const token = "token" in identity ? { authorization: `Bearer ${identity.token}` } : {};
  return (method, path, body, contentType = "application/json") =>
    new Promise((resolve, reject) => {
      const headers = { ...token, "content-type": contentType };
      const options = { method, ca, ...who, headers, agent: false, timeout: 10_000 };
      const sent = request(`${url}${path}`, options, (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        answer.on("error", reject);
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body: parsed(text) }));
      });
      sent.on("timeout", () => sent.destroy(new Error(`${method} ${path} had no answer in 10 s`)));
      sent.on("error", reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
}

function parsed(text: string): Answer["body"] {
  return text.startsWith("{") ? (JSON.parse(text) as Answer["body"]) : { message: text };
}

async function answersOk(call: Call, path: string): Promise<boolean> {
  return (await call("GET", path)).status === 200;
}

/** True when etcd listens on its socket in `folder`. */
export function etcdAnswers(folder: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(`${folder}/etcd.sock`)
      .once("connect", () => resolve(true))
      .once("error", () => resolve(false));
    socket.unref();
    socket.once("connect", () => socket.destroy());
  });
}

/** A free port below those that outgoing connections use, so that it is still free after a restart. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + (randomBytes(2).readUInt16BE() % 12_000);
    const free = await new Promise<boolean>((resolve) => {
      const probe = createServer()
        .once("error", () => resolve(false))
        .listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
    });
    if (free) {
      return port;
    }
  }
}
