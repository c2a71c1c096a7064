#!/usr/bin/env node
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { text } from "node:stream/consumers";
import { runDkp } from "./run.ts";

const { KUBECONFIG = "", NO_COLOR } = process.env;
const files = KUBECONFIG.split(delimiter).filter((file) => file !== "");

process.exitCode = await runDkp(process.argv.slice(2), {
  kubeconfigs: files.length > 0 ? files : [join(homedir(), ".kube", "config")],
  say: (line) => process.stdout.write(`${line}\n`),
  note: (line) => process.stderr.write(`${line}\n`),
  colours: process.stdout.isTTY && NO_COLOR === undefined,
  read: (path) => (path === "-" ? text(process.stdin) : readFile(path, "utf8")),
});
