/**
 * Writes the files that the sources import and that are not in git: the official browser client as a module, for
 * `serveClient`, and our own small client as text, for the demo.
 */
import { readFile, rename, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleScript } from "./build-client.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

const NAMES = ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"];

async function writeOfficialClient(): Promise<void> {
  const dist = dirname(createRequire(import.meta.url).resolve("socket.io-client/dist/socket.io.js"));
  const { version } = JSON.parse(await readFile(join(dist, "../package.json"), "utf8")) as {
    version: string;
  };
  const files: Record<string, string> = {};
  for (const name of NAMES.flatMap((script) => [script, `${script}.map`])) {
    files[name] = await readFile(join(dist, name), "utf8");
  }
  const module = [
    "// Made by scripts/client-files.ts from the socket.io-client package (MIT licence): do not edit.",
    'import type { ClientFiles } from "./http/serve-client.ts";',
    "",
    "/** The official browser client: pass it to `serveClient`. It adds its 1.2 MB (310 kB compressed) to the Worker that imports it. */",
    `export const clientFiles: ClientFiles = ${JSON.stringify({ version, files }, null, 1)};`,
    "",
  ].join("\n");
  await update("src/client-files.ts", module);
}

/** Does not write a file that is already up to date, so that a development server that watches it does not reload. */
async function update(name: string, text: string): Promise<void> {
  const path = join(root, name);
  if ((await readFile(path, "utf8").catch(() => undefined)) === text) return;
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, text);
  await rename(draft, path);
}

export async function writeClientFiles(): Promise<void> {
  await writeOfficialClient();
  await update("src/demo/small-client.txt", await bundleScript());
}

/** This is vitest's globalSetup. */
export const setup = writeClientFiles;

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeClientFiles();
