import { EventEmitter } from "node:events";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import * as z from "zod";
import { EnvironmentError, parseEnvironment, readSecretFile } from "../../runtime/environment.ts";
import { logger } from "../../runtime/log.ts";
import { onShutdown } from "../../runtime/shutdown.ts";
import { silent } from "./api.ts";

describe("the environment", () => {
  const schema = z.object({
    DISCORD_GUILD_ID: z.string().regex(/^\d{17,20}$/, "must be 17 to 20 digits"),
    DISCORD_TOKEN: z.string().min(50),
    LOG_LEVEL: z.enum(["info", "debug"]).default("info"),
    WORKERS: z.coerce.number().int().positive().default(8),
  });

  test("is parsed, with defaults for what is unset or empty", () => {
    const environment = {
      DISCORD_GUILD_ID: "123456789012345678",
      DISCORD_TOKEN: "t".repeat(60),
      LOG_LEVEL: "",
      WORKERS: "3",
    };
    expect(parseEnvironment(schema, environment)).toEqual({ ...environment, LOG_LEVEL: "info", WORKERS: 3 });
  });

  test("tells all its faults at once and no value", () => {
    const environment = { DISCORD_TOKEN: "hunter2", LOG_LEVEL: "s3cret", WORKERS: "many" };
    const attempt = () => parseEnvironment(schema, environment);
    expect(attempt).toThrow(EnvironmentError);
    const error = vi.fn(attempt);
    let faults: readonly string[] = [];
    try {
      error();
    } catch (thrown) {
      if (thrown instanceof EnvironmentError) faults = thrown.faults;
    }
    expect(faults.map((fault) => fault.split(/[: ]/)[0])).toEqual([
      "DISCORD_GUILD_ID",
      "DISCORD_TOKEN",
      "LOG_LEVEL",
      "WORKERS",
    ]);
    expect(faults[0]).toBe("DISCORD_GUILD_ID is not set.");
    expect(faults.join("\n")).not.toMatch(/hunter2|s3cret|many/);
  });
});

describe("a secret file", () => {
  test("is read without the line end that editors leave, and never quoted in an error", async () => {
    const folder = await mkdtemp(join(tmpdir(), "dkp-secret-"));
    await writeFile(join(folder, "token"), "hunter2\n");
    await writeFile(join(folder, "empty"), "\n");
    expect(await readSecretFile(join(folder, "token"))).toBe("hunter2");
    await expect(readSecretFile(join(folder, "empty"))).rejects.toThrow("is empty.");
    await expect(readSecretFile(join(folder, "none"))).rejects.toThrow("cannot be read (ENOENT).");
  });
});

function lines(format: "json" | "text") {
  const written: string[] = [];
  const log = logger({
    level: "info",
    format,
    name: "bot",
    redact: ["row.payload"],
    destination: { write: (line) => written.push(line) },
  });
  return { written, log };
}

describe("the log", () => {
  test("writes JSON with level and time as words, and nothing below its level", () => {
    const { written, log } = lines("json");
    log.debug("unheard");
    log.info({ guild: "core" }, "started");
    expect(written).toHaveLength(1);
    expect(JSON.parse(written[0] ?? "")).toMatchObject({
      level: "info",
      name: "bot",
      guild: "core",
      msg: "started",
    });
  });

  test("writes no credential, wherever it stands", () => {
    const { written, log } = lines("json");
    const error = Object.assign(new Error("refused", { cause: new Error("reset") }), {
      token: "hunter2",
      config: { password: "hunter2" },
    });
    log.error(
      { err: error, token: "hunter2", database: { password: "hunter2" }, row: { payload: "hunter2" } },
      "failed",
    );
    log.info({ request: { headers: { authorization: "Bearer hunter2" } } }, "asked");
    expect(written.join("")).not.toContain("hunter2");
    expect(JSON.parse(written[0] ?? "")).toMatchObject({
      err: { message: "refused", cause: { message: "reset" } },
    });
  });

  test("writes lines for people when asked to", () => {
    const { written, log } = lines("text");
    log.warn({ guild: "core" }, "slow");
    expect(written[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} WARN {2}slow guild="core"\n$/);
  });
});

function standInProcess() {
  const host = new EventEmitter();
  const codes: number[] = [];
  return { host, codes, exitable: Object.assign(host, { exit: (code: number) => void codes.push(code) }) };
}

describe("shutting down", () => {
  test("runs the steps one after the other, the last added first, over failures, and exits", async () => {
    const { host, codes, exitable } = standInProcess();
    const shutdown = onShutdown({ host: exitable, log: silent, deadlineMs: 60_000 });
    const order: string[] = [];
    shutdown.step("database", () => void order.push("database"));
    shutdown.step("gateway", () => Promise.reject(new Error("already gone")));
    shutdown.step("queue", async () => {
      await new Promise((resolve) => setImmediate(resolve));
      order.push("queue");
    });
    host.emit("SIGTERM");
    expect(shutdown.signal.aborted).toBe(true);
    await vi.waitFor(() => expect(codes).toEqual([0]));
    expect(order).toEqual(["queue", "database"]);
  });

  test("leaves with an error when a step takes too long", async () => {
    const { codes, exitable } = standInProcess();
    const shutdown = onShutdown({ host: exitable, log: silent, deadlineMs: 20 });
    shutdown.step("stuck", () => new Promise(() => undefined));
    shutdown.begin("lost the lease");
    await vi.waitFor(() => expect(codes).toEqual([1]));
  });

  test("a second signal leaves at once", () => {
    const { host, codes, exitable } = standInProcess();
    const shutdown = onShutdown({ host: exitable, log: silent, deadlineMs: 60_000 });
    const gate = Promise.withResolvers<void>();
    shutdown.step("slow", () => gate.promise);
    host.emit("SIGINT");
    host.emit("SIGINT");
    expect(codes).toEqual([1]);
    gate.resolve();
  });
});
