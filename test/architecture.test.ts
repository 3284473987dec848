import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

/** What each storey of src may see: everything it stands on, and nothing above or beside it. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  shared: [],
  codec: ["shared"],
  engine: ["shared", "codec"],
  transports: ["shared", "codec", "engine"],
  server: ["shared", "codec", "engine"],
  objects: ["shared", "codec", "engine", "transports", "server"],
  http: ["shared", "codec", "engine", "transports", "server", "objects"],
  client: ["shared", "codec"],
  // Runs on Node beside a test: of the server it knows the types of what it gives out.
  testing: ["http"],
  // The command line stands alone: it knows the library as files to be copied.
  cli: [],
  // The doors, and the demo, which is written as a user would write it.
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
  "node:module": ["testing"],
  "node:path": ["testing", "cli"],
  "node:url": ["testing", "cli"],
  "socket.io": ["testing"],
  "socket.io-client": ["testing"],
};

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

/** The storey of a file given relative to src: its first folder, or its own name where it lies at the top. */
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

describe("the house", () => {
  it("has a place in the table for every file", () => {
    expect(files.map(({ file }) => file).filter((file) => !(storeyOf(file) in MAY_IMPORT))).toEqual([]);
  });

  it("imports downwards only, and the platform, hono and other packages only where the table says so", () => {
    expect(written.flatMap(({ file, text }) => offences(file, text))).toEqual([]);
  });

  it("imports relative files with their extension", () => {
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

  it("has no `any`, and silences neither the compiler nor the linter", () => {
    const untyped = written.filter(({ text }) => /(?<![.#\w$])any\b/.test(stripped(text, false)));
    const silenced = written.filter(({ text }) =>
      /@ts-(ignore|nocheck|expect-error)|biome-ignore/.test(text),
    );
    expect([...untyped, ...silenced].map(({ file }) => file)).toEqual([]);
  });

  it("lets nobody but the demo carry the official client's files", () => {
    const carriers = written.filter(({ text }) =>
      importsOf(text).some((specifier) => specifier.endsWith("/client-files.ts")),
    );
    expect(carriers.map(({ file }) => storeyOf(file)).filter((home) => home !== "demo")).toEqual([]);
  });
});

describe("the watchman himself", () => {
  it.each([
    ["server/socket.ts", 'import { Poll } from "../transports/poll.ts";'],
    ["codec/packet.ts", 'export * from "../engine/session.ts";'],
    ["engine/session.ts", 'import type { DurableObject } from "cloudflare:workers";'],
    ["objects/shell.ts", 'import { Hono } from "hono";'],
    ["server/parser.ts", 'const parser = await import("socket.io-parser");'],
    ["shared/ids.ts", 'import "node:crypto";'],
    ["demo/worker.ts", 'import { Server } from "../server/server.ts";'],
    ["http/app.ts", 'import { helper } from "../../test/helper.ts";'],
  ])("sees what is wrong in %s: %s", (file, text) => {
    expect(offences(file, text)).toHaveLength(1);
  });

  it.each([
    [
      "objects/shell.ts",
      'import { DurableObject } from "cloudflare:workers"; import { poll } from "../transports/poll.ts";',
    ],
    ["http/app.ts", 'import { Hono } from "hono"; // unlike import "express"'],
    ["demo/worker.ts", 'import { defineServer } from "../index.ts";'],
  ])("has nothing against %s: %s", (file, text) => {
    expect(offences(file, text)).toEqual([]);
  });
});
