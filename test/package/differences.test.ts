import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { io } from "socket.io-client";
import { beforeAll, describe, expect, it } from "vitest";
import { nextEvent } from "../support/clients.ts";
import { start } from "../support/targets.ts";
import { root } from "./pack.ts";

type Surface = Record<string, string[]>;

/** The official types that declare the members of each class. */
const DECLARATIONS: Record<string, readonly [file: string, ...declarations: string[]]> = {
  Server: ["socket.io/dist/index.d.ts", "class Server"],
  Namespace: ["socket.io/dist/namespace.d.ts", "class Namespace"],
  Socket: ["socket.io/dist/socket.d.ts", "class Socket"],
  BroadcastOperator: ["socket.io/dist/broadcast-operator.d.ts", "class BroadcastOperator"],
  RemoteSocket: ["socket.io/dist/broadcast-operator.d.ts", "class RemoteSocket"],
  Adapter: ["socket.io-adapter/dist/in-memory-adapter.d.ts", "class Adapter"],
  Client: ["socket.io/dist/client.d.ts", "class Client"],
  "io.engine": ["engine.io/build/server.d.ts", "abstract class BaseServer", "class Server"],
  "socket.conn": ["engine.io/build/socket.d.ts", "class Socket"],
  "socket.conn.transport": ["engine.io/build/transport.d.ts", "abstract class Transport"],
  "socket.handshake": ["socket.io/dist/socket-types.d.ts", "interface Handshake"],
};

const OFFICIAL_OPTIONS = [
  ["node_modules/socket.io/dist/index.d.ts", "interface ServerOptions"],
  ["node_modules/engine.io/build/server.d.ts", "interface ServerOptions"],
  ["node_modules/engine.io/build/server.d.ts", "interface AttachOptions"],
] as const;

const OUR_OPTIONS = [
  ["src/engine/options.ts", "interface EngineOptions"],
  ["src/server/api/options.ts", "interface SocketOptions"],
  ["src/http/options.ts", "interface HttpOptions"],
  ["src/http/options.ts", "interface ShardOptions"],
] as const;

/** Whether a member is internal although its type is public, according to its name or comment. */
const isInternal = (name: string, comment: string) =>
  name.startsWith("_") || /@private|@internal/.test(comment);

/** The names of the public members in the body of a class or an interface. */
function declaredMembers(source: string, declaration: string): string[] {
  const start = source.search(
    new RegExp(`^export declare ${declaration}\\b|^(?:export )?${declaration}\\b`, "m"),
  );
  if (start === -1) throw new Error(`no ${declaration}`);
  const body = source.slice(source.indexOf("{\n", start), source.indexOf("\n}", start));
  const members = body.matchAll(
    /(\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*)?^ {2,4}(?! )(?:readonly |get |set |abstract |async )*(\w+)(?=[?(<:;])/gm,
  );
  return [...members]
    .filter(([, comment = "", name = ""]) => name !== "constructor" && !isInternal(name, comment))
    .map(([, , name]) => name as string);
}

async function optionsOf(files: readonly (readonly [string, string])[]): Promise<string[]> {
  const all = await Promise.all(
    files.map(async ([file, declaration]) =>
      declaredMembers(await readFile(join(root, file), "utf8"), declaration),
    ),
  );
  return [...new Set(all.flat())].sort();
}

async function surfaceOf(target: "official" | "edge"): Promise<Surface> {
  const server = await start(target, "surface");
  const client = io(server.url, { forceNew: true });
  try {
    return (await nextEvent<[Surface]>(client, "surface"))[0];
  } finally {
    client.close();
    await server.close();
  }
}

/** The cells of the rows in the section of a heading. */
function rowsOf(markdown: string, heading: string): string[][] {
  const section = markdown.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? "";
  const lines = section.split("\n").filter((line) => line.startsWith("| "));
  return lines.slice(1).map((line) =>
    line
      .slice(1, -1)
      .split(" | ")
      .map((cell) => cell.trim()),
  );
}

/** The names in backquotes. */
const namesIn = (cell = "") => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] as string);

describe("docs/differences.md", () => {
  let markdown: string;
  let official: Surface;
  let ours: Surface;
  let officialOptions: string[];
  let ourOptions: string[];

  beforeAll(async () => {
    markdown = await readFile(join(root, "docs/differences.md"), "utf8");
    [official, ours] = [await surfaceOf("official"), await surfaceOf("edge")];
    [officialOptions, ourOptions] = [await optionsOf(OFFICIAL_OPTIONS), await optionsOf(OUR_OPTIONS)];
  });

  it("names every public member and option of the official server that is missing here, and no other", async () => {
    const missing: string[] = [];
    for (const [name, [file, ...declarations]] of Object.entries(DECLARATIONS)) {
      const source = await readFile(join(root, "node_modules", file), "utf8");
      const declared = new Set(declarations.flatMap((it) => declaredMembers(source, it)));
      const offered = official[name]?.filter((member) => declared.has(member)) ?? [];
      expect(offered.length, `members of ${name}`).toBeGreaterThan(1);
      missing.push(...offered.filter((it) => !ours[name]?.includes(it)).map((it) => `${name}#${it}`));
    }
    missing.push(...officialOptions.filter((option) => !ourOptions.includes(option)));
    const named = rowsOf(markdown, "Missing").flatMap(([what]) => namesIn(what));
    expect(named.toSorted()).toEqual(missing.toSorted());
  });

  it("gives a reason and another way for everything that is missing", () => {
    for (const row of rowsOf(markdown, "Missing")) {
      expect(
        row.map((cell) => cell !== ""),
        row[0],
      ).toEqual([true, true, true]);
    }
  });

  it("names every option that only exists here, and no other", () => {
    const named = rowsOf(markdown, "New").flatMap(([what]) => namesIn(what));
    const added = ourOptions.filter((option) => !officialOptions.includes(option));
    expect(named.toSorted()).toEqual(added.toSorted());
  });

  it("shows every other difference by a test that exists", async () => {
    const rows = rowsOf(markdown, "Different");
    expect(rows.length).toBeGreaterThan(20);
    for (const [what, here, why, shownBy = ""] of rows) {
      expect([what, here, why].every(Boolean), what).toBe(true);
      const [, file = "", title = ""] = /^`(test\/[^`]+\.test\.ts)` "(.+)"$/.exec(shownBy) ?? [];
      expect(file, `the test of: ${what}`).not.toBe("");
      const source = await readFile(join(root, file), "utf8");
      expect(source.includes(`"${title}"`), `${file} has a test "${title}"`).toBe(true);
    }
  });
});

describe("the comparison itself", () => {
  const source = `
export declare class Thing<A> extends Base<A> {
    /** Shown. */
    readonly shown: string;
    private hidden;
    protected inherited(): void;
    /** @private */
    readonly marked: string;
    _underscored(): void;
    get value(): number;
    method<T>(value: T): this;
    constructor(options?: object);
}
`;

  it("takes public members only", () => {
    expect(declaredMembers(source, "class Thing")).toEqual(["shown", "value", "method"]);
  });

  it("finds rows below their heading", () => {
    const table =
      "# A\n\n## One\n\n| what | why |\n|---|---|\n| `a`, `b` | c |\n\n## Two\n\n| x |\n|---|\n| `y` |\n";
    expect(rowsOf(table, "One")).toEqual([["`a`, `b`", "c"]]);
    expect(rowsOf(table, "One").flatMap(([what]) => namesIn(what))).toEqual(["a", "b"]);
  });
});
