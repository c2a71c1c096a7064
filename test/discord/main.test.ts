import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { connectDiscord } from "./control-client.ts";
import { readySession, received, rawRest } from "./raw-client.ts";

const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill("SIGKILL");
});

/** Starts the program and resolves with what it says about itself. */
async function program(args: string[]) {
  const main = fileURLToPath(new URL("main.ts", import.meta.url));
  const child = spawn(process.execPath, [main, "--address", "127.0.0.1", "--port", "0", ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.push(child);
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  return { child, about: JSON.parse(line) as { apiUrl: string; gatewayUrl: string; port: number } };
}

test("the program starts with what its seed names, is driven over HTTP and ends on SIGTERM", async () => {
  const seed = {
    applications: [{ id: "100000000000000001", token: "token-of-the-bot" }],
    guilds: [{ id: "200000000000000001", members: [{ name: "Anna" }], applications: ["100000000000000001"] }],
  };
  const { child, about } = await program(["--seed", JSON.stringify(seed)]);
  const url = `http://127.0.0.1:${about.port}`;
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  const discord = await connectDiscord(url);
  const rest = rawRest(discord.apiUrl, "token-of-the-bot");
  const path = "/applications/100000000000000001/guilds/200000000000000001/commands";
  await rest("PUT", path, [{ name: "ping", description: "Answers" }]);
  const session = await readySession(discord, "token-of-the-bot");
  const carl = await discord.addMember("200000000000000001", { name: "Carl" });
  const given = await discord.as(carl).command("ping");
  const { callback } = await received(session, given, rest);
  await callback({ type: 4, data: { content: "pong" } });
  expect((await given.reply()).content).toBe("pong");
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
});

test("clients are led to the public address", async () => {
  const { about } = await program(["--public-url", "http://discord.dkp-system:8080/"]);
  expect(about).toMatchObject({
    apiUrl: "http://discord.dkp-system:8080/api",
    gatewayUrl: "ws://discord.dkp-system:8080/gateway",
  });
  const discord = await connectDiscord(`http://127.0.0.1:${about.port}`);
  expect(discord.apiUrl).toBe(about.apiUrl);
});
