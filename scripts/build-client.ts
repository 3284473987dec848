/** Builds the small client for script tags: one file that defines the global `io` in a page, and its source map. */
import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type OutputFile } from "esbuild";

const root = fileURLToPath(new URL("../", import.meta.url));

const SCRIPT = `import { io, Manager, Socket } from "./src/client/index.ts";
globalThis.io = Object.assign(io, { io, connect: io, Manager, Socket });`;

/** Every browser since 2021. */
const TARGET = "es2022";

/** `esbuild --bundle --minify`, as a user's bundler treats the client. */
async function bundle(options: BuildOptions): Promise<OutputFile[]> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    bundle: true,
    minify: true,
    outdir: "dist",
    write: false,
    ...options,
  });
  return outputFiles ?? [];
}

async function bundleText(options: BuildOptions): Promise<string> {
  return (await bundle(options))[0]?.text ?? "";
}

/** The text of the whole client as one minified module, which is what its size is measured on. */
export function bundleModule(entry = "src/client/index.ts"): Promise<string> {
  return bundleText({ entryPoints: [entry], format: "esm" });
}

/** The text of the script for a page, with `io` as a global, and `io.Manager` and `io.Socket`. */
export function bundleScript(): Promise<string> {
  return bundleText({ stdin: { contents: SCRIPT, resolveDir: root }, format: "iife" });
}

/**
 * The compressed size in bytes, as a shell counts it: `npx esbuild --bundle --minify --format=esm src/client/index.ts |
 * gzip -9 | wc -c`
 */
export function compressedSize(text: string): number {
  return execFileSync("gzip", ["-9"], { input: text }).length;
}

/** Writes the script and its source map. */
export async function buildScript(dist = join(root, "dist")): Promise<void> {
  const files = await bundle({
    stdin: { contents: SCRIPT, resolveDir: root, sourcefile: "socket.io-edge.ts" },
    entryNames: "socket.io-edge.min",
    format: "iife",
    target: TARGET,
    sourcemap: true,
    outdir: dist,
  });
  for (const { path, text } of files) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
}
