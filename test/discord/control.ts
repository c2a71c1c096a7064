import type { IncomingMessage, ServerResponse } from "node:http";
import { chaosMethods, plainMethods, startingActs } from "./control-methods.ts";
import type { Actor, Member } from "./driver.ts";
import type { Aside, DiscordStandIn } from "./stand-in.ts";
import { load, type LoadSpec } from "./load.ts";

/** What the control API answers to an interaction's waits: longest wait of one request. */
const longestWaitMs = 25_000;

type Verb = (...args: never[]) => Promise<unknown>;

/** Driver methods by their path below /control/, each called with the JSON array of its arguments. */
function verbs(discord: DiscordStandIn): Record<string, Verb> {
  const direct = Object.fromEntries(plainMethods.map((name) => [name, discord[name] as Verb]));
  const chaotic = Object.fromEntries(
    chaosMethods.map((name) => [`chaos/${name}`, discord.chaos[name] as Verb]),
  );
  const acting = Object.fromEntries(
    startingActs.map((name) => [
      `as/${name}`,
      async (member: Member, ...args: never[]) => {
        const started = (await (discord.as(member)[name] as Verb)(...args)) as { id: string };
        return { id: started.id };
      },
    ]),
  );
  return {
    ...direct,
    ...chaotic,
    ...acting,
    "as/say": (member: Member, ...args: Parameters<Actor["say"]>) => discord.as(member).say(...args),
    "as/autocomplete": (member: Member, ...args: Parameters<Actor["autocomplete"]>) =>
      discord.as(member).autocomplete(...args),
    about: async () => ({ apiUrl: discord.apiUrl, gatewayUrl: discord.gatewayUrl }),
    load: (spec: LoadSpec) => load(discord, spec),
    /** The interaction once it changed after a revision, or as it is when the wait is over. */
    interaction: async (id: string, after: number, waitMs: number) => {
      const found = discord.interaction(id);
      const timeoutMs = Math.min(waitMs, longestWaitMs);
      return found.until(({ revision }) => revision > after, { timeoutMs }).catch(() => found.record());
    },
  };
}

/** The driver as an HTTP API: `POST /control/<method>` with the arguments as a JSON array; `/healthz` says it is up. */
export function control(discord: DiscordStandIn): Aside {
  const known = verbs(discord);
  return (request, response) => {
    const [path = "/"] = (request.url ?? "/").split("?");
    if (path === "/healthz") {
      response.writeHead(200, { "content-type": "text/plain" }).end("ok\n");
      return true;
    }
    if (!path.startsWith("/control/")) return false;
    const verb = known[path.slice("/control/".length)];
    if (verb === undefined || request.method !== "POST") {
      answer(response, 404, { name: "Error", message: `POST one of ${Object.keys(known).join(", ")}` });
      return true;
    }
    run(request, verb).then(
      (result) => answer(response, 200, { result }),
      (thrown: Error) =>
        answer(response, thrown.name === "ClientRefusal" ? 422 : 400, {
          name: thrown.name,
          message: thrown.message,
        }),
    );
    return true;
  };
}

async function run(request: IncomingMessage, verb: Verb): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString("utf8");
  const args = text === "" ? [] : (JSON.parse(text) as unknown);
  if (!Array.isArray(args)) throw new Error("the body is the JSON array of the arguments");
  return verb(...(args as never[]));
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body) ?? "{}");
}
