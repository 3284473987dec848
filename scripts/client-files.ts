/** Writes src/client-files.ts: the files of the official browser client as one module, for `serveClient`. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const NAMES = ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"];

const TARGET = fileURLToPath(new URL("../src/client-files.ts", import.meta.url));

/** Does nothing where the module is already what it should be, so that a watching dev server does not reload. */
export async function writeClientFiles(): Promise<void> {
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
  if ((await readFile(TARGET, "utf8").catch(() => "")) === module) return;
  const draft = `${TARGET}.${process.pid}`;
  await writeFile(draft, module);
  await rename(draft, TARGET);
}

/** vitest's globalSetup calls this. */
export const setup = writeClientFiles;

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeClientFiles();
