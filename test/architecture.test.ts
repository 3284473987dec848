import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

/** The folders that each folder of src may import: those below it, and none above or beside it. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  shared: [],
  codec: ["shared"],
  engine: ["shared", "codec"],
  transports: ["shared", "codec", "engine"],
  server: ["shared", "codec", "engine"],
  objects: ["shared", "codec", "engine", "transports", "server"],
  http: ["shared", "codec", "engine", "transports", "server", "objects"],
  client: ["shared", "codec"],
  // Runs on Node beside a test, and imports only types of the server, for what it returns.
  testing: ["http"],
  // The command line imports nothing: it only copies files of the library.
  cli: [],
  // The entry points, and the demo, which is written as a user would write it.
  "index.ts": ["shared", "codec", "engine", "transports", "server", "objects", "http"],
  "client-files.ts": ["http"],
  demo: ["index.ts", "client-files.ts"],
};

/** Packages that a file of src may import (with their subpaths), and where. */
const PACKAGES: Record<string, readonly string[]> = {
  "cloudflare:workers": ["objects"],
  hono: ["http", "demo"],
  "node:crypto": ["testing"],
  "node:fs": ["testing", "cli"],
  "node:http": ["testing"],
  "node:module": ["testing"],
  "node:net": ["testing"],
  "node:path": ["testing", "cli"],
  "node:url": ["testing", "cli"],
  "socket.io": ["testing"],
  "socket.io-client": ["testing"],
};

/**
 * Files whose types may import each other: the public classes that name each other in the official API as well. At run
 * time no file may import itself, however indirectly.
 */
const PUBLIC_CLASSES: readonly string[] = [
  "server/api/server.ts",
  "server/api/namespace.ts",
  "server/api/parent-namespace.ts",
  "server/api/socket.ts",
  "server/api/client.ts",
  "client/manager.ts",
  "client/socket.ts",
];

/** Names that a reader could not understand without an explanation, and that were replaced. */
const RETIRED_NAMES =
  /\b(Carrier|Sleeper|ghost|FixedPart|MembershipBook|Awake|Hold|touched|sharesRhythm|givenOut|lent|families)\b/;

/** A longer file usually has more than one reason to change. If it has not, a comment in it says why it is longer. */
const MOST_LINES = 400;
const src = fileURLToPath(new URL("../src/", import.meta.url));
const files = readdirSync(src, { recursive: true, encoding: "utf8" })
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => file.endsWith(".ts"))
  .map((file) => ({ file, text: readFileSync(join(src, file), "utf8") }));
const written = files.filter(({ file }) => file !== "client-files.ts");

/** The text without its comments; string literals become `""` unless they are kept. */
function stripped(text: string, keepStrings: boolean): string {
  return text.replace(
    /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
    (_, literal: string | undefined) => (literal === undefined ? "" : keepStrings ? literal : '""'),
  );
}

function importsOf(text: string): string[] {
  const specifiers = stripped(text, true).matchAll(/(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']/g);
  return [...specifiers].map((match) => match[1] ?? "");
}

/** The folder of a file given relative to src: its first folder, or its own name if it is at the top. */
function storeyOf(file: string): string {
  return file.split("/")[0] ?? file;
}

function offences(file: string, text: string): string[] {
  const home = storeyOf(file);
  const found: string[] = [];
  for (const specifier of importsOf(text)) {
    if (specifier.startsWith(".")) {
      const target = posix.normalize(posix.join(dirname(file), specifier));
      const allowed = target.startsWith("..") ? [] : [home, ...(MAY_IMPORT[home] ?? [])];
      if (!allowed.includes(storeyOf(target))) found.push(`${file} imports ${specifier}`);
    } else if (!PACKAGES[specifier.split("/")[0] ?? ""]?.includes(home)) {
      found.push(`${file} imports ${specifier}`);
    }
  }
  return found;
}

interface Import {
  readonly target: string;
  /** Whether the compiler removes it. */
  readonly isType: boolean;
}

/** The files of src that a file imports or re-exports. */
function importedFiles(file: string, text: string): Import[] {
  const statements = stripped(text, true).matchAll(/^(?:import|export)\s([^;"]*?)\bfrom\s*"(\.[^"]+)"/gm);
  return [...statements].map(([, names = "", specifier = ""]) => ({
    target: posix.normalize(posix.join(dirname(file), specifier)),
    isType: names.startsWith("type") || /^\{(\s*type\s[^,}]+,?)+\s*\}\s*$/.test(names),
  }));
}

/** The groups of files in which each file imports every other one, directly or not (Tarjan's algorithm). */
function cycles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (file: string): number => {
    const index = lowest.size;
    let low = index;
    lowest.set(file, index);
    stack.push(file);
    for (const target of graph.get(file) ?? []) {
      if (!lowest.has(target)) low = Math.min(low, visit(target));
      else if (stack.includes(target)) low = Math.min(low, lowest.get(target) ?? low);
    }
    lowest.set(file, low);
    if (low === index) {
      const group = stack.splice(stack.indexOf(file));
      if (group.length > 1 || graph.get(file)?.includes(file)) found.push(group.sort());
    }
    return low;
  };
  for (const file of graph.keys()) if (!lowest.has(file)) visit(file);
  return found;
}

function toGraph(sources: readonly { file: string; text: string }[], hasTypes: boolean) {
  return new Map(
    sources.map(({ file, text }) => {
      const imports = importedFiles(file, text).filter(({ isType }) => hasTypes || !isType);
      return [file, imports.map(({ target }) => target)];
    }),
  );
}

describe("the source tree", () => {
  it("has no cycle of imports at run time", () => {
    expect(cycles(toGraph(written, false))).toEqual([]);
  });

  it("has no cycle of type imports, except among public classes that name each other", () => {
    const tied = cycles(toGraph(written, true)).flat();
    expect(tied.filter((file) => !PUBLIC_CLASSES.includes(file))).toEqual([]);
  });

  it("has every file in a folder that the table of imports names", () => {
    expect(files.map(({ file }) => file).filter((file) => !(storeyOf(file) in MAY_IMPORT))).toEqual([]);
  });

  it("imports only lower folders, and packages only where the table allows them", () => {
    expect(written.flatMap(({ file, text }) => offences(file, text))).toEqual([]);
  });

  it("imports nothing where constants are, so that a bundler writes each of them where it is used", () => {
    const constants = written.filter(({ file }) => file.endsWith("/constants.ts"));
    expect(constants.length).toBeGreaterThan(0);
    expect(constants.flatMap(({ text }) => importsOf(text))).toEqual([]);
  });

  it("names the extension of every relative file that it imports", () => {
    const bare = written.flatMap(({ file, text }) =>
      importsOf(text)
        .filter((specifier) => specifier.startsWith(".") && !/\.(ts|html|txt)$/.test(specifier))
        .map((specifier) => `${file}: ${specifier}`),
    );
    expect(bare).toEqual([]);
  });

  it(`keeps files below ${MOST_LINES} lines, unless a comment "Over ${MOST_LINES} lines because ..." says why`, () => {
    const reason = new RegExp(`over ${MOST_LINES} lines because \\S`, "i");
    const long = written.filter(({ text }) => text.split("\n").length - 1 > MOST_LINES && !reason.test(text));
    expect(long.map(({ file, text }) => `${file}: ${text.split("\n").length - 1}`)).toEqual([]);
  });

  it("has every file that docs/design.md names", () => {
    const design = readFileSync(join(src, "../docs/design.md"), "utf8");
    const named = [...design.matchAll(/`src\/([\w/-]+\.ts)`/g)].map(([, file = ""]) => file);
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((name) => !files.some(({ file }) => file === name))).toEqual([]);
  });

  it("has no `any`, and silences neither the compiler nor the linter", () => {
    const untyped = written.filter(({ text }) => /(?<![.#\w$])any\b/.test(stripped(text, false)));
    const silenced = written.filter(({ text }) =>
      /@ts-(ignore|nocheck|expect-error)|biome-ignore/.test(text),
    );
    expect([...untyped, ...silenced].map(({ file }) => file)).toEqual([]);
  });

  it("uses no name that was replaced because nobody understood it", () => {
    const found = written.flatMap(({ file, text }) => {
      const name = RETIRED_NAMES.exec(stripped(text, false))?.[0];
      return name === undefined ? [] : [`${file}: ${name}`];
    });
    expect(found).toEqual([]);
  });

  it("imports the official client's files in the demo only", () => {
    const carriers = written.filter(({ text }) =>
      importsOf(text).some((specifier) => specifier.endsWith("/client-files.ts")),
    );
    expect(carriers.map(({ file }) => storeyOf(file)).filter((home) => home !== "demo")).toEqual([]);
  });
});

describe("the architecture test itself", () => {
  it("finds cycles, and distinguishes those of types from those at run time", () => {
    const sources = [
      {
        file: "a.ts",
        text: 'import {\n  type B,\n  type C,\n} from "./b.ts";\nimport { e } from "./x/e.ts";',
      },
      { file: "b.ts", text: 'import { c } from "./c.ts";' },
      { file: "c.ts", text: 'export * from "./a.ts"; // import { d } from "./d.ts"' },
      { file: "d.ts", text: 'import { a } from "./a.ts";' },
      { file: "x/e.ts", text: 'import type { F } from "../f.ts";\nimport { type G, f } from "../f.ts";' },
      { file: "f.ts", text: 'export { e } from "./x/e.ts";' },
    ];
    expect(cycles(toGraph(sources, true))).toEqual([
      ["f.ts", "x/e.ts"],
      ["a.ts", "b.ts", "c.ts"],
    ]);
    expect(cycles(toGraph(sources, false))).toEqual([["f.ts", "x/e.ts"]]);
  });

  it.each([
    ["server/socket.ts", 'import { Poll } from "../transports/poll.ts";'],
    ["codec/packet.ts", 'export * from "../engine/session.ts";'],
    ["engine/session.ts", 'import type { DurableObject } from "cloudflare:workers";'],
    ["objects/shell.ts", 'import { Hono } from "hono";'],
    ["server/parser.ts", 'const parser = await import("socket.io-parser");'],
    ["shared/ids.ts", 'import "node:crypto";'],
    ["demo/worker.ts", 'import { Server } from "../server/server.ts";'],
    ["http/app.ts", 'import { helper } from "../../test/helper.ts";'],
  ])("reports the forbidden import in %s: %s", (file, text) => {
    expect(offences(file, text)).toHaveLength(1);
  });

  it.each([
    [
      "objects/shell.ts",
      'import { DurableObject } from "cloudflare:workers"; import { poll } from "../transports/poll.ts";',
    ],
    ["http/app.ts", 'import { Hono } from "hono"; // unlike import "express"'],
    ["demo/worker.ts", 'import { defineServer } from "../index.ts";'],
  ])("accepts the imports of %s: %s", (file, text) => {
    expect(offences(file, text)).toEqual([]);
  });
});
