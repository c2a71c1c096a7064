import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import pg from "pg";
import { describe, expect, test, vi } from "vitest";
import { startPostgres } from "./server.ts";

async function one(url: string, statement: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  const { rows } = await client.query<{ value: unknown }>(`select (${statement}) as value`);
  await client.end();
  return rows[0]?.value;
}

describe("PostgreSQL for tests", () => {
  test("is 16.6, gives each test its own database, and keeps what was committed over a kill -9", async () => {
    const server = await startPostgres();
    const database = await server.createDatabase();
    expect(await one(database.ownerUrl, "current_setting('server_version')")).toBe("16.6");
    const client = new pg.Client({ connectionString: database.ownerUrl });
    client.on("error", () => undefined);
    await client.connect();
    await client.query("create table kept as select 7 as value");
    await server.stopHard();
    await expect(client.query("select 1")).rejects.toThrow();
    await server.restart();
    expect(await one(database.ownerUrl, "select value from kept")).toBe(7);
    await expect(one(database.botUrl, "select value from kept")).rejects.toThrow("permission denied");
    await server.stop();
  });

  test("ends and removes its folder when the process that started it is killed", async () => {
    const source = `
      import { startPostgres } from ${JSON.stringify(new URL("server.ts", import.meta.url).href)};
      import pg from "pg";
      const server = await startPostgres();
      const client = new pg.Client({ connectionString: server.adminUrl() });
      await client.connect();
      const { rows } = await client.query("select current_setting('data_directory') as folder");
      process.stdout.write(JSON.stringify({ folder: rows[0].folder, port: server.port }));
      setInterval(() => undefined, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", source], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const { folder, port } = JSON.parse(line.toString()) as { folder: string; port: number };
    child.kill("SIGKILL");
    await vi.waitFor(() => expect(existsSync(folder)).toBe(false), { timeout: 10_000 });
    await expect(one(`postgres://postgres@127.0.0.1:${port}/postgres`, "1")).rejects.toThrow("ECONNREFUSED");
  });
});
