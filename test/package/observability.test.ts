import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./pack.ts";

const read = (file: string) => readFileSync(join(root, file), "utf8");

describe("docs/errors.md", () => {
  const page = read("docs/errors.md");
  /** The codes in the first column of the table below a heading. */
  const documented = (heading: string) => {
    const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? "";
    return [...section.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code as string).toSorted();
  };
  /** The members of a union of texts in a file of the source. */
  const union = (file: string, name: string) => {
    const [, body = ""] = new RegExp(`export type ${name} =([^;]+);`).exec(read(file)) ?? [];
    return [...body.matchAll(/"([A-Z_]+)"/g)].map(([, code]) => code as string);
  };
  const ends = union("src/engine/end-codes.ts", "EndCode");

  it("has each code with which a connection ends, and no other", () => {
    expect(ends.length).toBeGreaterThan(20);
    expect(documented("Why a connection has ended")).toEqual(ends.toSorted());
  });

  it("has each code of a refusal, and no other", () => {
    const [, table = ""] = /const TABLE = \{([\s\S]+?)\n\}/.exec(read("src/engine/errors.ts")) ?? [];
    const ofEngine = [...table.matchAll(/^ {2}([A-Z_]+):/gm)].map(([, code]) => code as string);
    const others = union("src/engine/observed.ts", "RefusalCode");
    expect(Math.min(ofEngine.length, others.length)).toBeGreaterThan(3);
    expect(documented("Why a client was refused")).toEqual([...ofEngine, ...others].toSorted());
  });

  it.each([
    ["What became of a client that came back", "RecoveryCode"],
    ["Why a packet was dropped", "DropCode"],
  ])("has the codes of: %s", (heading, name) => {
    const codes = union("src/engine/observed.ts", name);
    expect(codes.length).toBeGreaterThan(2);
    expect(documented(heading)).toEqual(codes.toSorted());
  });

  it("has no code that the source does not use", () => {
    const source = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts") && !file.endsWith("end-codes.ts"))
      .map((file) => read(join("src", file)))
      .join("\n");
    expect(ends.filter((code) => !source.includes(`"${code}"`))).toEqual([]);
  });
});

it("docs/observability.md prints the Workers of examples/observability", () => {
  const folder = "examples/observability";
  const printed = [...read("docs/observability.md").matchAll(/```ts\n\/\/ (\S+)\n([\s\S]*?)```/g)];
  const names = readdirSync(join(root, folder)).filter((name) => name.endsWith(".ts"));
  const files = Object.fromEntries(names.map((name) => [name, read(join(folder, name))]));
  expect(Object.fromEntries(printed.map(([, name, code]) => [name, code]))).toEqual(files);
});
