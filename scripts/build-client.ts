/** Makes the small client: the module behind "socket.io-edge/client", and the script that gives a page the global `io`. */
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { minify } from "rolldown/experimental";
import { shrink } from "./shrink.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

/** esbuild leaves constants of modules alone: numbers are written where their names stand, second names are exports. */
const foldConstants: Plugin = {
  name: "fold-constants",
  setup({ onLoad }) {
    onLoad({ filter: /src[\\/]client[\\/].*\.ts$/ }, async ({ path }) => {
      let contents = await readFile(path, "utf8");
      for (const [, name, value] of contents.matchAll(/^const ([A-Z_]+) = ([\d_]+);$/gm))
        contents = contents.replaceAll(new RegExp(`(?<!const )\\b${name}\\b`, "g"), `${value}`);
      contents = contents.replace(
        /^export const (\w+) = (\w+) as unknown as new [^;]+;/m,
        "export { $2 as $1 };",
      );
      return { contents, loader: "ts" };
    });
  },
};

const BUILD: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  minifySyntax: true,
  format: "esm",
  target: "es2022",
  plugins: [foldConstants],
  write: false,
};

/** esbuild bundles; oxc writes what compresses better. */
async function bundle(options: BuildOptions): Promise<string> {
  const { outputFiles } = await build({ ...BUILD, ...options });
  const { code, errors } = await minify("client.js", outputFiles?.[0]?.text ?? "", {
    module: true,
    compress: { target: "es2022" },
    mangle: { toplevel: true },
  });
  if (errors.length > 0) throw new Error(errors.map(({ message }) => message).join("\n"));
  return code;
}

/** The text of a module; the tests build the codec alone in the same way. */
export function bundleModule(entry = "src/client/index.ts"): Promise<string> {
  return bundle({ entryPoints: [entry] });
}

/** The text of the script: `io` as a global, with `io.Manager` and `io.Socket`. */
export function bundleScript(): Promise<string> {
  const contents = `import { io, Manager, Socket } from "./src/client/index.ts";
    globalThis.io = Object.assign(io, { io, connect: io, Manager, Socket });`;
  return bundle({ format: "iife", stdin: { contents, resolveDir: root } });
}

/** Seeds that found a small text: after a change in src/client others have to be looked for. */
const SEEDS = { module: 207, script: 200 };

/** The module as it is published. */
export async function shipModule(): Promise<string> {
  return ship(await bundleModule(), SEEDS.module);
}

/** The script as it is published. */
export async function shipScript(): Promise<string> {
  return ship(await bundleScript(), SEEDS.script);
}

/** Shrinks a text: the last 6 % of its size for ten seconds of work, which are spent once for each text. */
async function ship(text: string, seed: number): Promise<string> {
  const sources = ["shrink.ts", "shrink-scopes.ts"].map((name) => readFile(join(root, "scripts", name)));
  const hash = createHash("sha256").update(`${seed} ${text}`);
  for (const source of await Promise.all(sources)) hash.update(source);
  const cached = join(root, ".wrangler/cache", `${hash.digest("hex")}.js`);
  const known = await readFile(cached, "utf8").catch(() => undefined);
  if (known) return known;
  const shrunk = shrink(text, seed);
  await mkdir(dirname(cached), { recursive: true });
  const draft = `${cached}.${process.pid}`;
  await writeFile(draft, shrunk);
  await rename(draft, cached);
  return shrunk;
}

export async function buildClient(dist = join(root, "dist")): Promise<void> {
  const outputs = {
    [join(dist, "client/index.js")]: await shipModule(),
    [join(dist, "socket.io-edge.min.js")]: await shipScript(),
  };
  for (const [path, text] of Object.entries(outputs)) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
}
