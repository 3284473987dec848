import { readFile } from "node:fs/promises";
import { relative } from "node:path";

/** How the initial value of a variable begins when the app may keep state in it. */
const KEEPER = /^(?:export\s+)?(?:let\s+(\w+)|(?:const|var)\s+(\w+)[^=]*=\s*(?:new\b|\[|\{))/;
const MOST = 5;

/** The top-level variables of the app's own modules in which it may keep state, with their locations. */
export async function findSuspects(files: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const file of files) {
    const lines = (await readFile(file, "utf8")).split("\n");
    for (const [i, line] of lines.entries()) {
      const [, variable, constant] = KEEPER.exec(line) ?? [];
      const name = variable ?? constant;
      if (name !== undefined) found.push(`${name} (${relative(process.cwd(), file)}:${i + 1})`);
    }
  }
  return found.slice(0, MOST);
}
