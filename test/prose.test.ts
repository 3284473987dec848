import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./package/pack.ts";

const LONGEST_LINE = 120;

const FOLDERS = ["src", "test", "bench", "scripts", "docs", "examples", "templates"];

/** Files that are installed, built or generated. */
const FOREIGN = /(^|\/)(node_modules|dist|\.wrangler|client-files\.ts$)/;

/** Directives of the linter, which need a line of their own, and lines of diagrams. */
const UNWRAPPABLE = /^\s*\/\/ (biome-ignore|@ts-)|[─│├└┌►]/;

function filesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((file) =>
    join(folder, file).replaceAll("\\", "/"),
  );
}

/** The lines of prose in a text: the comments of a program, or the lines of a page outside of tables and code. */
function proseOf(file: string, text: string): string[] {
  const lines = text.split("\n");
  if (!file.endsWith(".md")) {
    return lines.filter((line) => /^\s*(\/\/|\/?\*)/.test(line) && !UNWRAPPABLE.test(line));
  }
  let isCode = false;
  return lines.filter((line) => {
    const isFence = /^\s*```/.test(line);
    if (isFence) isCode = !isCode;
    return !isCode && !isFence && !/^\s*\|/.test(line);
  });
}

/** The lines that are too long and contain a space at which they can be broken. */
function longLines(file: string, text: string): string[] {
  const isBreakable = (line: string) => /\S\s+\S/.test(line.replace(/^\s*([-*>]|\d+\.|\/\/|\/\*\*?)\s+/, ""));
  return proseOf(file, text).filter((line) => line.length > LONGEST_LINE && isBreakable(line));
}

describe("prose", () => {
  const files = [...FOLDERS.flatMap(filesIn), ...readdirSync(root)].filter(
    (file) => /\.(md|[cm]?[jt]s)$/.test(file) && !FOREIGN.test(file),
  );

  it(`has no line of more than ${LONGEST_LINE} characters, in comments and on pages`, () => {
    const found = files.flatMap((file) =>
      longLines(file, readFileSync(join(root, file), "utf8")).map((line) => `${file}: ${line.trim()}`),
    );
    expect(found).toEqual([]);
  });
});

describe("the search for long lines", () => {
  const words = "many words ".repeat(12).trim();

  it("finds them in comments of a program, and not in its code", () => {
    expect(longLines("a.ts", `// ${words}\n/** ${words} */\n * ${words}`)).toHaveLength(3);
    expect(longLines("a.ts", `const text = "${words}";`)).toEqual([]);
    expect(longLines("a.ts", `  // biome-ignore lint/complexity: ${words}`)).toEqual([]);
    expect(longLines("a.ts", ` *   poll ──► ${words}`)).toEqual([]);
  });

  it("finds them in the paragraphs and lists of a page, and not in its tables and code", () => {
    expect(longLines("a.md", `${words}\n- ${words}\n## ${words}`)).toHaveLength(3);
    expect(longLines("a.md", `| ${words} |\n\`\`\`ts\n${words}\n\`\`\``)).toEqual([]);
  });

  it("does not mind a link that cannot be broken", () => {
    const link = `https://example.com/${"a".repeat(LONGEST_LINE)}`;
    expect(longLines("a.ts", `// ${link}`)).toEqual([]);
    expect(longLines("a.md", `- <${link}>`)).toEqual([]);
  });
});
