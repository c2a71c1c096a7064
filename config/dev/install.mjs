// Runs under whatever Node the machine has, before anything of ours: installs the locked dependencies (and with them the
// pinned Node) when they are missing or older than the lockfile, so that a fresh clone needs nothing but `npm test`.
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const installed = `${root}/node_modules/.package-lock.json`;
const locked = `${root}/package-lock.json`;

if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(locked).mtimeMs) {
  process.stderr.write("Installing the locked dependencies (npm ci)\n");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const result = spawnSync(npm, ["ci", "--no-audit", "--no-fund"], { cwd: root, stdio: ["ignore", 2, 2] });
  if (result.error !== undefined) {
    process.stderr.write(`npm could not be started: ${result.error.message}\n`);
  }
  process.exitCode = result.status ?? 1;
}
