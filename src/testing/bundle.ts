import { builtinModules } from "node:module";
import { basename, dirname, isAbsolute, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Asset, AssetRules } from "./assets.ts";
import { loadTool } from "./optional.ts";
import type { EsbuildModule, ModuleRule, PluginBuild } from "./tools.ts";

/** What a wrangler file says of how the Worker is bundled. */
export interface BundleOptions {
  readonly define?: Record<string, string>;
  /** What is imported in place of other modules. */
  readonly alias?: Record<string, string>;
  /** The folder from which the paths of `alias` count: that of the wrangler file. */
  readonly root?: string;
  readonly rules?: readonly ModuleRule[];
}

/** A Worker as one function, and what this function needs. */
export interface Bundle {
  /** CommonJS code, as the body of a function. */
  readonly body: string;
  readonly exports: readonly string[];
  /** What the code requires: modules of the platform, and the assets. */
  readonly externals: readonly string[];
  readonly assets: readonly Asset[];
  /** The source files of the app itself. */
  readonly sources: readonly string[];
}

const TARGET = "es2024";
/** This package, when it is linked rather than installed. */
const OWN = fileURLToPath(new URL("..", import.meta.url));
/**
 * Bundles a Worker as a function.
 * @throws Error for what cannot be bundled, a top-level `await` among that
 */
export async function bundle(
  main: string,
  { define = {}, alias = {}, root = dirname(main), rules }: BundleOptions = {},
): Promise<Bundle> {
  const { build } = loadTool<EsbuildModule>("esbuild");
  const assetRules = new AssetRules(rules);
  const assets = new Map<string, Parameters<AssetRules["read"]>[1]>();
  const { outputFiles, metafile } = await build({
    absWorkingDir: dirname(main),
    entryPoints: [main],
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    target: TARGET,
    keepNames: true,
    sourcemap: "inline",
    sourcesContent: false,
    conditions: ["workerd", "worker", "browser"],
    mainFields: ["browser", "module", "main"],
    define: { "process.env.NODE_ENV": '"development"', ...define },
    external: ["cloudflare:*", "workerd:*", "node:*"],
    plugins: [
      { name: "alias", setup: (own: PluginBuild) => replace(own, alias, root) },
      { name: "platform", setup: (own: PluginBuild) => setAside(own, assetRules, assets) },
    ],
    logLevel: "silent",
  });
  const [output] = Object.values(metafile.outputs);
  const externals = (output?.imports ?? [])
    .filter(({ external, kind }) => external && !kind.startsWith("dynamic"))
    .map(({ path }) => path);
  return {
    body: await toFunctionBody(outputFiles[0]?.text ?? "", main),
    exports: output?.exports ?? [],
    externals: [...new Set(externals)],
    sources: Object.keys(metafile.inputs)
      .map((file) => resolve(dirname(main), file))
      .filter(
        (file) =>
          !file.includes("node_modules") && !file.startsWith(OWN) && assetRules.typeOf(file) === undefined,
      ),
    assets: await Promise.all([...assets].map(([path, asset]) => assetRules.read(path, asset))),
  };
}

/** Imports one module in place of another, as the wrangler file says. */
function replace(build: PluginBuild, alias: Record<string, string>, folder: string): void {
  build.onResolve({ filter: /./ }, ({ path, kind, pluginData }) => {
    const other = Object.hasOwn(alias, path) && pluginData !== alias ? alias[path] : undefined;
    return other === undefined
      ? undefined
      : build.resolve(other, { kind, resolveDir: folder, pluginData: alias });
  });
}

/** Keeps the imports of the platform's modules, also those of Node without their prefix, and collects the assets. */
function setAside(
  build: PluginBuild,
  rules: AssetRules,
  assets: Map<string, Parameters<AssetRules["read"]>[1]>,
): void {
  build.onResolve({ filter: /^[a-z_]+(\/[a-z_]+)?$/ }, async ({ path, kind, resolveDir, pluginData }) => {
    if (!builtinModules.includes(path) || pluginData === build) return undefined;
    const installed = await build.resolve(path, { kind, resolveDir, pluginData: build });
    if (installed.errors?.length === 0 && !installed.external) {
      // A package may have replaced the module for browsers, which esbuild handles by itself.
      return isAbsolute(installed.path) ? { path: installed.path } : undefined;
    }
    return { path: `node:${path}`, external: true };
  });
  build.onResolve({ filter: /^\./ }, ({ path, resolveDir }) => {
    const type = rules.typeOf(path);
    if (type === undefined) return undefined;
    const file = resolve(resolveDir, path.replace(/\?module$/, ""));
    const name = `./${assets.size}-${basename(file)}`;
    assets.set(name, { file, type });
    return { path: name, external: true };
  });
}

async function toFunctionBody(text: string, main: string): Promise<string> {
  const { build } = loadTool<EsbuildModule>("esbuild");
  try {
    const { outputFiles } = await build({
      stdin: { contents: text, sourcefile: "worker.mjs", loader: "js" },
      write: false,
      metafile: true,
      format: "cjs",
      target: TARGET,
      sourcemap: "inline",
      sourcesContent: false,
      logLevel: "silent",
    });
    return outputFiles[0]?.text ?? "";
  } catch (error) {
    if (!/top-level await/i.test(String(error))) throw error;
    throw new Error(
      `${main} awaits something at its top level. The kit runs a Worker as a function, to load it anew at each nap, ` +
        "and there that is not possible: await it in the setup function, which may be async.",
      { cause: error },
    );
  }
}

/** The part of the kit that runs in the Worker, together with the module that contains it. */
export async function bundleHarness(entry: string): Promise<string> {
  const { build } = loadTool<EsbuildModule>("esbuild");
  const { outputFiles } = await build({
    stdin: { contents: entry, resolveDir: fileURLToPath(new URL(".", import.meta.url)), loader: "js" },
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    target: TARGET,
    external: ["cloudflare:*", "workerd:*", "node:*", "./app.js", "./[0-9]*"],
    plugins: [{ name: "beside", setup: leaveModules }],
    logLevel: "silent",
  });
  return outputFiles[0]?.text ?? "";
}

/** Modules that are next to the main module in the runtime, and are no files on this machine. */
function leaveModules(build: PluginBuild): void {
  build.onResolve({ filter: /^\.\/(app\.js|\d+-.*)$/ }, ({ path }) => ({ path, external: true }));
}
