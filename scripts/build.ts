/** Builds dist/, which npm publishes: ES modules with their types, and the small client for script tags. */
import { execFileSync } from "node:child_process";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildScript, bundleModule, compressedSize } from "./build-client.ts";
import { writeClientFiles } from "./client-files.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const dist = join(root, "dist");

await rm(dist, { recursive: true, force: true });
await writeClientFiles();
compile();
await mendTypes();
await dropMapOfClientFiles();
await refuseRequire();
await buildScript(dist);
console.log(`small client, minified and compressed: ${compressedSize(await bundleModule())} bytes`);

function compile(): void {
  const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
  execFileSync(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json")], { stdio: "inherit" });
}

/**
 * Does two things that the compiler leaves undone. The compiler renames `./x.ts` to `./x.js` in code but not in
 * declarations, where it names a file that does not exist. And it strips members that are marked as internal, after
 * which a class lacks what its `implements` promises.
 */
async function mendTypes(): Promise<void> {
  for (const file of await readdir(dist, { recursive: true })) {
    if (!file.endsWith(".d.ts")) continue;
    const path = join(dist, file);
    const text = await readFile(path, "utf8");
    const mended = text
      .replaceAll(/((?:\bfrom|\bimport)\s*\(?\s*["']\.[^"']*)\.ts(["'])/g, "$1.js$2")
      .replaceAll(/^(export declare (?:abstract )?class .*) implements [^{}]+ \{$/gm, "$1 {");
    await writeFile(path, mended);
  }
}

/** The official client's text is data, and a source map of it would contain the same 1.2 MB again. */
async function dropMapOfClientFiles(): Promise<void> {
  const path = join(dist, "client-files.js");
  await rm(`${path}.map`);
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replace(/\n\/\/# sourceMappingURL=.*$/m, ""));
}

/**
 * A module for `require("socket.io-edge")` that only throws an error, since the runtime's own error does not say the
 * cure.
 */
async function refuseRequire(): Promise<void> {
  const message =
    'socket.io-edge is an ES module that runs in Cloudflare Workers: write `import { defineServer } from "socket.io-edge"`, and "type": "module" in package.json.';
  await writeFile(join(dist, "require.cjs"), `throw new Error(${JSON.stringify(message)});\n`);
  await writeFile(join(dist, "require.d.cts"), `/** ${message} */\nexport {};\n`);
}
