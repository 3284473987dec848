/** Makes dist/, which is what npm publishes: ES modules with their types, and the small client for script tags. */
import { execFileSync } from "node:child_process";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeClientFiles } from "./client-files.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const dist = join(root, "dist");

await rm(dist, { recursive: true, force: true });
await writeClientFiles(); // the small client too
compile();
await nameOutputsInTypes();

function compile(): void {
  const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
  execFileSync(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json")], { stdio: "inherit" });
}

/** The compiler renames `./x.ts` to `./x.js` in code but not in declarations, where no such file lies beside them. */
async function nameOutputsInTypes(): Promise<void> {
  for (const file of await readdir(dist, { recursive: true })) {
    if (!file.endsWith(".d.ts")) continue;
    const path = join(dist, file);
    const text = await readFile(path, "utf8");
    await writeFile(
      path,
      text.replaceAll(/((?:\bfrom|\bimport)\s*\(?\s*["']\.[^"']*)\.ts(["'])/g, "$1.js$2"),
    );
  }
}
