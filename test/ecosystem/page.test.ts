import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { root } from "../package/pack.ts";

/** The cells of the rows of all tables below a heading, without the heads. */
function rowsOf(markdown: string, heading: string): string[][] {
  const section = markdown.split(/^##? /m).find((text) => text.startsWith(`${heading}\n`)) ?? "";
  const lines = section.split("\n").filter((line) => line.startsWith("| "));
  return lines.slice(1).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const sourceOf = (file: string) => readFile(join(root, file), "utf8");

/** Whether a test installs a package in a range: `name: "range"`, quoted where the name needs it. */
function installs(source: string, name: string, range: string): boolean {
  return source.includes(`"${name}": "${range}"`) || source.includes(` ${name}: "${range}"`);
}

describe("docs/ecosystem.md", () => {
  let page: string;
  beforeAll(async () => {
    page = await sourceOf("docs/ecosystem.md");
  });

  it("shows each row by a test that exists", async () => {
    const rows = [...rowsOf(page, "What works with it"), ...rowsOf(page, "Clients")];
    expect(rows.length).toBeGreaterThan(15);
    for (const row of rows) {
      const [, file = "", title = ""] = /^`(test\/[^`]+\.test\.ts)` "(.+)"$/.exec(row.at(-1) ?? "") ?? [];
      expect(file, `the test of: ${row[0]}`).not.toBe("");
      expect((await sourceOf(file)).includes(`"${title}"`), `${file} has a test "${title}"`).toBe(true);
    }
  });

  it("names the versions that the tests install", async () => {
    for (const [what, packages = "", , shownBy = ""] of rowsOf(page, "What works with it")) {
      const file = shownBy.split("`")[1] ?? "";
      for (const [, name = "", range = ""] of packages.matchAll(/`(@?[^@`]+)@([^`]+)`/g)) {
        expect(installs(await sourceOf(file), name, range), `${what}: ${name}@${range}`).toBe(true);
      }
    }
  });

  it("lists every version of the client that is tested, and no other", async () => {
    const source = await sourceOf("test/ecosystem/clients.release.test.ts");
    const list = source.slice(source.indexOf("const VERSIONS"), source.indexOf("];"));
    const tested = [...list.matchAll(/"([\d.]+)"/g)].map(([, version]) => version);
    const named = rowsOf(page, "Clients").flatMap(([what = ""]) => what.match(/\d+\.\d+\.\d+/g) ?? []);
    expect(tested.length).toBeGreaterThan(10);
    expect(named).toEqual(tested);
  });

  it("has a recipe for each link to one", () => {
    const headings = [...page.matchAll(/^## (.+)$/gm)].map(
      ([, text = ""]) => `#${text.toLowerCase().replaceAll(" ", "-")}`,
    );
    const links = [...page.matchAll(/\]\((#[^)]+)\)/g)].map(([, link]) => link);
    expect(links.length).toBeGreaterThan(5);
    for (const link of links) expect(headings).toContain(link);
  });
});
