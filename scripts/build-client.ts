/** Makes the small client: the module behind "socket.io-edge/client", and the script that gives a page the global `io`. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type Plugin } from "esbuild";

const root = fileURLToPath(new URL("../", import.meta.url));

/** esbuild leaves constants of modules alone; writing the numbers of the client in their places saves some bytes. */
const foldNumbers: Plugin = {
  name: "fold-numbers",
  setup({ onLoad }) {
    onLoad({ filter: /src[\\/]client[\\/].*\.ts$/ }, async ({ path }) => {
      let contents = await readFile(path, "utf8");
      for (const [, name, value] of contents.matchAll(/^const ([A-Z_]+) = ([\d_]+);$/gm))
        contents = contents.replaceAll(new RegExp(`(?<!const )\\b${name}\\b`, "g"), `${value}`);
      return { contents, loader: "ts" };
    });
  },
};

/** How the client is built; the tests build the codec with it too. */
export const CLIENT_BUILD: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  // Names with an underscore at their end are the client's own, never a user's or the protocol's.
  mangleProps: /[^_]_$/,
  plugins: [foldNumbers],
  write: false,
};

/** The text of the module. */
export async function bundleModule(entry = "src/client/index.ts"): Promise<string> {
  const { outputFiles } = await build({ ...CLIENT_BUILD, entryPoints: [entry] });
  return outputFiles?.[0]?.text ?? "";
}

/** The text of the script: `io` as a global, with `io.Manager` and `io.Socket`. */
export async function bundleScript(): Promise<string> {
  const contents = `import { io, Manager, Socket, protocol } from "./src/client/index.ts";
    globalThis.io = Object.assign(io, { io, connect: io, Manager, Socket, protocol });`;
  const { outputFiles } = await build({
    ...CLIENT_BUILD,
    format: "iife",
    stdin: { contents, resolveDir: root },
  });
  return outputFiles?.[0]?.text ?? "";
}

export async function buildClient(dist = join(root, "dist")): Promise<void> {
  const outputs = {
    [join(dist, "client/index.js")]: await bundleModule(),
    [join(dist, "socket.io-edge.min.js")]: await bundleScript(),
  };
  for (const [path, text] of Object.entries(outputs)) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
}
