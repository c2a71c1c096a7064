import { globSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSync, visitorKeys } from "oxc-parser";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const rooms = ["bot", "config", "crds", "operator", "runtime", "test"];

type SyntaxNode = { type: string; start: number; end: number } & Record<string, unknown>;
type Import = { specifier: string; typeOnly: boolean };
type Source = { path: string; text: string; imports: Import[]; program: SyntaxNode };

const sources = rooms
  .flatMap((room) => globSync(`${room}/**/*.ts`, { cwd: root }))
  .filter((path) => !path.includes("node_modules"))
  .map((path) => source(path));

function source(path: string): Source {
  const text = readFileSync(join(root, path), "utf8");
  const { module, program, errors } = parseSync(path, text);
  expect(errors, `${path} must parse`).toEqual([]);
  const fixed = module.staticImports.map((found) => ({
    specifier: found.moduleRequest.value,
    typeOnly: text.slice(found.start, found.end).startsWith("import type"),
  }));
  const reexported = module.staticExports.flatMap(({ entries }) =>
    entries.flatMap(({ moduleRequest, isType }) =>
      moduleRequest === null ? [] : [{ specifier: moduleRequest.value, typeOnly: isType }],
    ),
  );
  const lazy = module.dynamicImports.map(({ moduleRequest }) => ({
    specifier: text.slice(moduleRequest.start, moduleRequest.end).replaceAll(/^["'`]|["'`]$/g, ""),
    typeOnly: false,
  }));
  return {
    path,
    text,
    imports: [...fixed, ...reexported, ...lazy],
    program: program as unknown as SyntaxNode,
  };
}

/** The repository path that a relative import leads to, or undefined for a package. */
function ours(from: string, specifier: string): string | undefined {
  return specifier.startsWith(".") ? relative(root, join(root, dirname(from), specifier)) : undefined;
}

function inside(path: string, ...folders: string[]): boolean {
  return folders.some((folder) => path.startsWith(`${folder}/`));
}

/** Every import of ours that leaves its room for a place the room may not know. */
function trespasses(from: string[], mayReach: string[]): string[] {
  return sources
    .filter(({ path }) => inside(path, ...from))
    .flatMap(({ path, imports }) =>
      imports.flatMap(({ specifier }) => {
        const target = ours(path, specifier);
        return target === undefined || inside(target, ...mayReach) ? [] : [`${path} imports ${target}`];
      }),
    );
}

describe("imports go one way", () => {
  test.each([
    { from: ["crds"], mayReach: ["crds"] },
    { from: ["runtime"], mayReach: ["runtime"] },
    { from: ["operator"], mayReach: ["operator", "runtime", "crds"] },
    { from: ["operator/guild"], mayReach: ["operator/guild", "crds", "runtime"] },
    { from: ["bot"], mayReach: ["bot", "runtime", "crds"] },
    { from: ["bot/ledger"], mayReach: ["bot/ledger"] },
    { from: ["bot/store"], mayReach: ["bot/store", "bot/ledger", "runtime"] },
  ])("$from reaches nothing but $mayReach", ({ from, mayReach }) => {
    expect(trespasses(from, mayReach)).toEqual([]);
  });

  test("the pure rooms know no clock, no I/O and take what runs only as types", () => {
    const pure = sources.filter(({ path }) => inside(path, "bot/ledger", "operator/guild"));
    const impure = pure.flatMap(({ path, imports, text }) => [
      ...imports
        .filter(({ specifier, typeOnly }) => !typeOnly && runs(path, specifier))
        .map(({ specifier }) => `${path} imports ${specifier}`),
      ...[...text.matchAll(/\bDate\.now\(|new Date\(\)|Math\.random\(|\bsetTimeout\(|\bfetch\(/g)].map(
        ([call]) => `${path} calls ${call}`,
      ),
    ]);
    expect(impure).toEqual([]);
  });

  test("only programs touch the process", () => {
    const touching = sources
      .filter(({ path }) => inside(path, "bot", "operator", "runtime", "crds"))
      .filter(({ path }) => !/(^|\/)(main|cli|generate)\.ts$/.test(path))
      .filter(({ text }) =>
        /(?<![\w.$"'`/-])process\.(env|argv|exit|on|once|stdout|stdin|exitCode)\b/.test(
          withoutComments(text),
        ),
      )
      .map(({ path }) => path);
    expect(touching).toEqual([]);
  });

  test("only the store speaks to PostgreSQL", () => {
    const speaking = sources
      .filter(({ path }) => inside(path, "bot", "operator", "runtime") && !inside(path, "bot/store"))
      .filter(({ imports }) =>
        imports.some(({ specifier, typeOnly }) => !typeOnly && ["pg", "kysely"].includes(specifier)),
      )
      .map(({ path }) => path);
    expect(speaking).toEqual([]);
  });
});

/** True for what has effects: a builtin (hashing apart) or one of our rooms that is not pure. */
function runs(path: string, specifier: string): boolean {
  const target = ours(path, specifier);
  if (target !== undefined) {
    return inside(target, "runtime") || inside(target, "bot/store", "bot/discord", "bot/jobs");
  }
  const builtin = specifier.startsWith("node:") || builtinModules.includes(specifier);
  return builtin ? specifier !== "node:crypto" : specifier.startsWith("@kubernetes/");
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/(^|\s)\/\/.*$/gm, "$1");
}

const functionTypes = new Set(["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"]);
const branchTypes = new Set([
  "IfStatement",
  "ForStatement",
  "ForOfStatement",
  "ForInStatement",
  "WhileStatement",
  "DoWhileStatement",
  "SwitchStatement",
  "TryStatement",
]);

type Finding = { path: string; line: number; value: number };

function children(node: SyntaxNode): SyntaxNode[] {
  return (visitorKeys[node.type] ?? []).flatMap((key) => {
    const value = node[key];
    return (Array.isArray(value) ? value : [value]).filter(
      (child): child is SyntaxNode => typeof child === "object" && child !== null && "type" in child,
    );
  });
}

/** Lines of each function that holds code of its own, and the deepest nesting of branches within each function. */
function measure({ path, text, program }: Source): { lines: Finding[]; depths: Finding[] } {
  const lines: Finding[] = [];
  const depths: Finding[] = [];
  const lineOf = (offset: number) => text.slice(0, offset).split("\n").length;
  const walk = (node: SyntaxNode, depth: number): void => {
    if (functionTypes.has(node.type)) {
      lines.push({ path, line: lineOf(node.start), value: lineOf(node.end) - lineOf(node.start) + 1 });
      for (const child of children(node)) walk(child, 0);
      return;
    }
    const inner = branchTypes.has(node.type) ? depth + 1 : depth;
    depths.push({ path, line: lineOf(node.start), value: inner });
    for (const child of children(node)) {
      // `else if` reads as one ladder, so it does not nest.
      const ladder =
        node.type === "IfStatement" && child.type === "IfStatement" && node["alternate"] === child;
      walk(child, ladder ? depth : inner);
    }
  };
  walk(program, 0);
  return { lines, depths: depths.filter(({ value }) => value > 3) };
}

describe("what is written stays small enough to read", () => {
  const product = sources.filter(({ path }) => !inside(path, "test"));

  test("files have at most 300 lines, tests at most 500", () => {
    const long = sources
      .map(({ path, text }) => ({ path, lines: text.trimEnd().split("\n").length }))
      .filter(({ path, lines }) => lines > (inside(path, "test") ? 500 : 300));
    expect(long).toEqual([]);
  });

  test("functions have at most 70 lines", () => {
    expect(product.flatMap((found) => measure(found).lines.filter(({ value }) => value > 70))).toEqual([]);
  });

  test("branches nest at most three deep", () => {
    expect(sources.flatMap((found) => measure(found).depths)).toEqual([]);
  });
});

describe("names and habits", () => {
  test("no room is called by what nobody can find things in", () => {
    const vague = /(^|\/)(utils?|helpers?|common|misc|managers?|services?)(\/|\.ts$)/;
    expect(sources.map(({ path }) => path).filter((path) => vague.test(path))).toEqual([]);
  });

  test("nothing switches a check off", () => {
    const marks = /@ts-(ignore|expect-error|nocheck)|(ox|es)lint-disable|\bas any\b/;
    const here = "test/architecture.test.ts";
    expect(
      sources.filter(({ path, text }) => path !== here && marks.test(text)).map(({ path }) => path),
    ).toEqual([]);
  });
});
