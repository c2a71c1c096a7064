import type { Actor, Chaos, DiscordDriver, Interaction, InteractionRecord, Member } from "./driver.ts";
import { chaosMethods, plainMethods } from "./control-methods.ts";
import { interaction } from "./follow.ts";
import type { LoadReport, LoadSpec } from "./load.ts";

export type RemoteDiscord = DiscordDriver & {
  readonly gatewayUrl: string;
  /** Runs a load inside the stand-in's process, where the clock of each command starts. */
  load(spec: LoadSpec): Promise<LoadReport>;
};

type Call = (verb: string, ...args: unknown[]) => Promise<unknown>;

/** The driver of a stand-in that runs as a process of its own; `url` is where its `/control/` is reached. */
export async function connectDiscord(url: string): Promise<RemoteDiscord> {
  const base = url.replace(/\/$/, "");
  const call: Call = async (verb, ...args) => {
    // An argument left out at the end stays out, so that the other side applies its own default.
    const sent = args.slice(0, args.findLastIndex((arg) => arg !== undefined) + 1);
    const response = await fetch(`${base}/control/${verb}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(sent, (_, value: unknown) =>
        typeof value === "bigint" ? value.toString() : value,
      ),
    });
    const body = (await response.json()) as { result?: unknown; name?: string; message?: string };
    if (response.ok) return body.result;
    throw Object.assign(new Error(body.message ?? `status ${response.status}`), {
      name: body.name ?? "Error",
    });
  };
  const about = (await call("about")) as { apiUrl: string; gatewayUrl: string };
  const verb =
    <T>(name: string) =>
    async (...args: unknown[]) =>
      (await call(name, ...args)) as T;
  const methods = Object.fromEntries(plainMethods.map((name) => [name, verb(name)])) as unknown as Pick<
    DiscordDriver,
    (typeof plainMethods)[number]
  >;
  const chaos = Object.fromEntries(
    chaosMethods.map((name) => [name, verb(`chaos/${name}`)]),
  ) as unknown as Chaos;
  return {
    ...methods,
    ...about,
    chaos,
    load: verb<LoadReport>("load"),
    as: (member) => remoteActor(call, member),
    interaction: (id) => remoteInteraction(call, id),
    close: async () => undefined,
  };
}

function remoteActor(call: Call, member: Member): Actor {
  const start =
    (name: string) =>
    async (...args: unknown[]): Promise<Interaction> => {
      const { id } = (await call(`as/${name}`, member, ...args)) as { id: string };
      return remoteInteraction(call, id);
    };
  const plain =
    <T>(name: string) =>
    async (...args: unknown[]) =>
      (await call(`as/${name}`, member, ...args)) as T;
  return {
    command: start("command"),
    button: start("button"),
    select: start("select"),
    modal: start("modal"),
    autocomplete: plain("autocomplete"),
    say: plain("say"),
  };
}

function remoteInteraction(call: Call, id: string): Interaction {
  const read = async (after: number, waitMs: number) =>
    (await call("interaction", id, after, waitMs)) as InteractionRecord;
  return interaction({
    id,
    record: () => read(-1, 0),
    async wait(condition, timeoutMs) {
      const endMs = Date.now() + timeoutMs;
      let record = await read(-1, 0);
      while (!condition(record) && Date.now() < endMs) {
        record = await read(record.revision, endMs - Date.now());
      }
      return record;
    },
  });
}
