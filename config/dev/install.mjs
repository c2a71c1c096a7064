// Runs under whatever Node the machine has, before anything of ours: installs the locked dependencies (and with them the
// pinned Node) unless exactly these are installed already, so that a fresh clone needs nothing but `npm test`.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const mark = `${root}/node_modules/.locked`;
const locked = createHash("sha256")
  .update(readFileSync(`${root}/package-lock.json`))
  .digest("hex");

if (!existsSync(mark) || readFileSync(mark, "utf8") !== locked) {
  process.stderr.write("Installing the locked dependencies (npm ci)\n");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  // Npm warns on end about a Node older than some packages ask for; the one they will run on is among them.
  const flags = ["--no-audit", "--no-fund", "--loglevel=error"];
  const result = spawnSync(npm, ["ci", ...flags], { cwd: root, stdio: ["ignore", 2, 2] });
  if (result.error !== undefined) {
    process.stderr.write(`npm could not be started: ${result.error.message}\n`);
  }
  if (result.status === 0) {
    writeFileSync(mark, locked);
  }
  process.exitCode = result.status ?? 1;
}
